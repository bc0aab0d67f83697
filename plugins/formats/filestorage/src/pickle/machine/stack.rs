//! The stack, of which only the values that can come to mean a reference are kept: the others, nearly all, are counted.

use super::{MOST_VALUES, Step};
use crate::pickle::Unreadable;
use crate::pickle::value::Value;

/// See the module.
#[derive(Default)]
pub struct Stack {
    /// How many values there are.
    depth: u64,
    /// Those that are not [`Value::Other`], with the number of values below, from the bottom up.
    kept: Vec<(u64, Value)>,
    marks: Vec<u64>,
    /// The newest mark, below which nothing can be taken; 0 where there is none.
    floor: u64,
}

impl Stack {
    pub fn clear(&mut self) {
        self.depth = 0;
        self.kept.clear();
        self.marks.clear();
        self.floor = 0;
    }

    #[inline]
    pub fn push(&mut self, value: Value) -> Step {
        if value != Value::Other {
            if self.kept.len() >= MOST_VALUES {
                return Err(Unreadable::Large);
            }
            self.kept.push((self.depth, value));
        }
        self.depth += 1;
        Ok(())
    }

    pub fn mark(&mut self) -> Step {
        if self.marks.len() >= MOST_VALUES {
            return Err(Unreadable::Large);
        }
        self.marks.push(self.depth);
        self.floor = self.depth;
        Ok(())
    }

    pub fn pop_mark(&mut self) -> Step<u64> {
        let mark = self.marks.pop().ok_or(Unreadable::Stack)?;
        self.floor = self.marks.last().copied().unwrap_or(0);
        Ok(mark)
    }

    pub fn floor(&self) -> u64 {
        self.floor
    }

    pub fn depth(&self) -> u64 {
        self.depth
    }

    /// Deeper than this, all values can mean no reference, and can be taken.
    pub fn solid(&self) -> u64 {
        let kept = self.kept.last().map_or(0, |(at, _)| at + 1);
        self.floor.max(kept)
    }

    /// So many values were pushed that can mean no reference.
    pub fn set_depth(&mut self, depth: u64) {
        self.depth = depth;
    }

    /// Where the topmost `count` values begin.
    #[inline]
    pub fn below(&self, count: u64) -> Step<u64> {
        match self.depth.checked_sub(count) {
            Some(at) if at >= self.floor => Ok(at),
            _ => Err(Unreadable::Stack),
        }
    }

    /// Takes all from `from` on, and answers the first of them, if there is any.
    #[inline]
    pub fn take(&mut self, from: u64) -> Option<Value> {
        let mut first = (self.depth > from).then_some(Value::Other);
        while let Some((at, value)) = self.kept.last().copied()
            && at >= from
        {
            if at == from {
                first = Some(value);
            }
            self.kept.pop();
        }
        self.depth = from;
        first
    }

    /// Takes `count` values.
    #[inline]
    pub fn drop(&mut self, count: u64) -> Step<Value> {
        let from = self.below(count)?;
        Ok(self.take(from).unwrap_or(Value::Other))
    }

    #[inline]
    pub fn top(&self) -> Step<Value> {
        let at = self.below(1)?;
        Ok(match self.kept.last() {
            Some((place, value)) if *place == at => *value,
            _ => Value::Other,
        })
    }
}
