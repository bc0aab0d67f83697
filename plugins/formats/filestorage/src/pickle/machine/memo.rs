//! The memo. Picklers count its numbers up, from 0 or 1: of such a row only the ends are kept, and the values in it that
//! can come to mean a reference. What is set out of the row goes into a table.

use std::collections::HashMap;

use super::{MOST_VALUES, Step};
use crate::layout::Oid;
use crate::pickle::Unreadable;
use crate::pickle::value::Value;

/// See the module.
#[derive(Default)]
pub struct Memo {
    /// All numbers from `first` on and before `next` are set.
    first: u32,
    next: u32,
    /// Those of the row that are not [`Value::Other`], in order.
    kept: Vec<(u32, Value)>,
    /// Whether they have one of the first 256 numbers, bit by bit: most of what is asked for is a class, which is not there.
    few: [u64; 4],
    /// What was set out of the row, or again: it counts before what the row says.
    table: HashMap<u32, Value>,
    /// How many of these are not in the row.
    outside: u32,
}

impl Memo {
    pub fn clear(&mut self) {
        self.first = 0;
        self.next = 0;
        self.kept.clear();
        self.few = [0; 4];
        if !self.table.is_empty() {
            self.table.clear();
        }
        self.outside = 0;
    }

    /// The number that comes next where nobody says one.
    pub fn count(&self) -> u32 {
        self.next - self.first + self.outside
    }

    #[inline]
    pub fn put(&mut self, number: u32, value: Value) -> Step {
        if number != self.next || !self.table.is_empty() || number == u32::MAX {
            return self.put_apart(number, value);
        }
        if value != Value::Other {
            self.keep(number, value)?;
        }
        self.next += 1;
        Ok(())
    }

    #[inline]
    fn keep(&mut self, number: u32, value: Value) -> Step {
        if self.kept.len() + self.table.len() >= MOST_VALUES {
            return Err(Unreadable::Large);
        }
        self.kept.push((number, value));
        if let Some(few) = self.few.get_mut(number as usize / 64) {
            *few |= 1 << (number % 64);
        }
        Ok(())
    }

    /// Whether a number is in the row that goes on at `next`.
    #[inline]
    pub fn holds(&self, number: u32, next: u32) -> bool {
        (self.first..next).contains(&number)
    }

    /// Puts an object's id and the tuple that begins with it. The row goes on at `next`.
    #[inline]
    pub fn refer(&mut self, next: &mut u32, oid: Oid) -> Step {
        self.keep(*next, Value::Id(oid))?;
        self.keep(*next + 1, Value::Named(oid))?;
        *next += 2;
        Ok(())
    }

    /// The number that the row goes on with, where nothing is set out of it.
    pub fn next(&self) -> Option<u32> {
        self.table.is_empty().then_some(self.next)
    }

    pub fn first(&self) -> u32 {
        self.first
    }

    /// The row was gone on with up to here, by values that can mean no reference.
    pub fn set_next(&mut self, next: u32) {
        self.next = next;
    }

    #[cold]
    fn put_apart(&mut self, number: u32, value: Value) -> Step {
        if number == 1 && self.next == 0 && self.table.is_empty() {
            // The row begins at 1.
            (self.first, self.next) = (1, 1);
            return self.put(number, value);
        }
        if self.kept.len() + self.table.len() >= MOST_VALUES {
            return Err(Unreadable::Large);
        }
        if self.table.insert(number, value).is_none() && !self.in_row(number) {
            self.outside += 1;
        }
        Ok(())
    }

    fn in_row(&self, number: u32) -> bool {
        self.holds(number, self.next)
    }

    #[inline]
    pub fn get(&self, number: u32) -> Step<Value> {
        if !self.table.is_empty()
            && let Some(value) = self.table.get(&number)
        {
            return Ok(*value);
        }
        if !self.in_row(number) {
            return Err(Unreadable::Memo);
        }
        let few = self.few.get(number as usize / 64);
        if few.is_some_and(|few| few & (1 << (number % 64)) == 0) {
            return Ok(Value::Other);
        }
        let found = self.kept.binary_search_by_key(&number, |(kept, _)| *kept);
        Ok(found.map_or(Value::Other, |at| self.kept[at].1))
    }
}
