//! The pickle machine. Opcodes are named as in the language's own `pickletools`.

use std::collections::HashMap;

use super::Unreadable;
use super::input::Input;
use super::text;
use super::value::Value;
use crate::layout::Oid;

/// So many values may be kept at once: about 64 MiB. Real records keep a few hundred.
const MOST_VALUES: usize = 4_000_000;

/// Memo numbers count up from 0; only others go into a table.
const FEW: usize = 1024;

/// The state of one record's two pickles.
#[derive(Default)]
pub struct Machine {
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: Vec<Option<Value>>,
    /// Numbers out of the row.
    sparse: HashMap<u32, Value>,
    memorized: usize,
    line: Vec<u8>,
}

type Step<T = ()> = Result<T, Unreadable>;

impl Machine {
    pub fn reset(&mut self) {
        self.stack.clear();
        self.marks.clear();
        self.memo.clear();
        self.sparse.clear();
        self.memorized = 0;
    }

    /// One pickle, to its `STOP`.
    pub fn pickle(&mut self, data: &mut impl Input, found: &mut dyn FnMut(Oid)) -> Step {
        self.stack.clear();
        self.marks.clear();
        loop {
            match data.byte()? {
                b'.' => return self.pop().map(|_| ()),
                b'Q' => self.persistent(found)?,
                b'P' => {
                    let id = text::raw(data.line(&mut self.line)?);
                    self.push(id)?;
                    self.persistent(found)?;
                }
                code => self.step(code, data)?,
            }
        }
    }

    fn persistent(&mut self, found: &mut dyn FnMut(Oid)) -> Step {
        if let Some(oid) = self.pop()?.reference()? {
            found(oid);
        }
        self.push(Value::Other)
    }

    #[inline]
    fn step(&mut self, code: u8, data: &mut impl Input) -> Step {
        match code {
            // Texts and bytes.
            b'X' | b'B' | b'T' => {
                let length = u32::from_le_bytes(data.bytes()?);
                // BINSTRING alone has a signed length.
                if code == b'T' && length > i32::MAX as u32 {
                    return Err(Unreadable::Length);
                }
                self.text(u64::from(length), data)
            }
            b'U' | b'C' | 0x8c => {
                let length = data.byte()?;
                self.text(u64::from(length), data)
            }
            0x8d | 0x8e | 0x96 => {
                let length = u64::from_le_bytes(data.bytes()?);
                self.text(length, data)
            }
            // The memo.
            b'q' => {
                let number = data.byte()?;
                self.put(u32::from(number))
            }
            b'r' => {
                let number = u32::from_le_bytes(data.bytes()?);
                self.put(number)
            }
            b'h' => {
                let number = data.byte()?;
                self.get(u32::from(number))
            }
            b'j' => {
                let number = u32::from_le_bytes(data.bytes()?);
                self.get(number)
            }
            0x94 => self.put(u32::try_from(self.memorized).map_err(|_| Unreadable::Large)?),
            // Numbers and constants.
            b'N' | 0x88 | 0x89 => self.push(Value::Other),
            b'K' => self.fixed(1, data),
            b'M' => self.fixed(2, data),
            b'J' => self.fixed(4, data),
            b'G' => self.fixed(8, data),
            0x8a => {
                let length = data.byte()?;
                self.fixed(u64::from(length), data)
            }
            0x8b => {
                let length = u32::from_le_bytes(data.bytes()?);
                if length > i32::MAX as u32 {
                    return Err(Unreadable::Length);
                }
                self.fixed(u64::from(length), data)
            }
            // Containers.
            b'(' => self.mark(),
            b')' => self.push(Value::Other),
            b']' => self.push(Value::List),
            b'}' | 0x8f => self.push(Value::Other),
            b't' => {
                let mark = self.pop_mark()?;
                let first = self.stack.get(mark).copied();
                self.replace(mark, Value::tuple(first))
            }
            0x85..=0x87 => {
                let mark = self.below(usize::from(code - 0x84))?;
                let first = self.stack.get(mark).copied();
                self.replace(mark, Value::tuple(first))
            }
            b'l' => {
                let mark = self.pop_mark()?;
                self.replace(mark, Value::List)
            }
            b'd' | 0x91 | b'o' => {
                let mark = self.pop_mark()?;
                self.replace(mark, Value::Other)
            }
            b'a' | b'b' | b'0' => self.drop(1),
            b's' => self.drop(2),
            b'e' | b'u' | 0x90 | b'1' => {
                let mark = self.pop_mark()?;
                self.stack.truncate(mark);
                // All but POP_MARK change what lies below.
                match code == b'1' || mark > self.floor() {
                    true => Ok(()),
                    false => Err(Unreadable::Stack),
                }
            }
            b'2' => {
                let top = self.top()?;
                self.push(top)
            }
            // Classes and what is made of them.
            b'c' => {
                data.line(&mut self.line)?;
                data.line(&mut self.line)?;
                self.push(Value::Other)
            }
            b'R' | 0x81 | 0x93 => {
                let mark = self.below(2)?;
                self.replace(mark, Value::Other)
            }
            0x92 => {
                let mark = self.below(3)?;
                self.replace(mark, Value::Other)
            }
            0x82 => self.fixed(1, data),
            0x83 => self.fixed(2, data),
            0x84 => self.fixed(4, data),
            // Frames only say how much to read ahead.
            0x80 => match data.byte()? {
                0..=5 => Ok(()),
                protocol => Err(Unreadable::Protocol(protocol)),
            },
            0x95 => data.skip(8),
            0x97 => self.push(Value::Other),
            0x98 => self.top().map(|_| ()),
            code => self.old(code, data),
        }
    }

    /// What only protocol 0 uses: lines of text.
    #[cold]
    fn old(&mut self, code: u8, data: &mut impl Input) -> Step {
        if !b"ILFSVgpi".contains(&code) {
            return Err(Unreadable::Opcode(code));
        }
        let line = data.line(&mut self.line)?;
        match code {
            b'S' => {
                let value = text::quoted(line)?;
                self.push(value)
            }
            b'V' => {
                let value = text::escaped(line)?;
                self.push(value)
            }
            b'g' | b'p' => {
                let number = std::str::from_utf8(line)
                    .ok()
                    .and_then(|line| line.parse().ok());
                let number = number.ok_or(Unreadable::Text)?;
                match code {
                    b'g' => self.get(number),
                    _ => self.put(number),
                }
            }
            b'i' => {
                data.line(&mut self.line)?;
                let mark = self.pop_mark()?;
                self.replace(mark, Value::Other)
            }
            _ => self.push(Value::Other),
        }
    }

    #[inline]
    fn text(&mut self, length: u64, data: &mut impl Input) -> Step {
        if length == 8 {
            let value = Value::of_text(&data.bytes::<8>()?);
            return self.push(value);
        }
        data.skip(length)?;
        self.push(Value::Other)
    }

    #[inline]
    fn fixed(&mut self, length: u64, data: &mut impl Input) -> Step {
        data.skip(length)?;
        self.push(Value::Other)
    }

    #[inline]
    fn push(&mut self, value: Value) -> Step {
        if self.stack.len() + self.memorized >= MOST_VALUES {
            return Err(Unreadable::Large);
        }
        self.stack.push(value);
        Ok(())
    }

    fn mark(&mut self) -> Step {
        if self.marks.len() >= MOST_VALUES {
            return Err(Unreadable::Large);
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// Below the newest mark nothing can be taken.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn below(&self, count: usize) -> Step<usize> {
        let at = self.stack.len().checked_sub(count);
        at.filter(|at| *at >= self.floor()).ok_or(Unreadable::Stack)
    }

    fn pop_mark(&mut self) -> Step<usize> {
        self.marks.pop().ok_or(Unreadable::Stack)
    }

    fn replace(&mut self, from: usize, value: Value) -> Step {
        self.stack.truncate(from);
        self.push(value)
    }

    fn pop(&mut self) -> Step<Value> {
        self.below(1)?;
        self.stack.pop().ok_or(Unreadable::Stack)
    }

    fn top(&self) -> Step<Value> {
        self.below(1)?;
        self.stack.last().copied().ok_or(Unreadable::Stack)
    }

    /// Takes `count` values; the one below, which they change, stays.
    fn drop(&mut self, count: usize) -> Step {
        let at = self.below(count)?;
        self.stack.truncate(at);
        Ok(())
    }

    #[inline]
    fn put(&mut self, number: u32) -> Step {
        let value = self.top()?;
        if self.stack.len() + self.memorized >= MOST_VALUES {
            return Err(Unreadable::Large);
        }
        let at = number as usize;
        if at >= FEW + 2 * self.memorized {
            if self.sparse.insert(number, value).is_none() {
                self.memorized += 1;
            }
            return Ok(());
        }
        if self.memo.len() <= at {
            self.memo.resize(at + 1, None);
        }
        if self.memo[at].replace(value).is_none() && !self.sparse.contains_key(&number) {
            self.memorized += 1;
        }
        Ok(())
    }

    #[inline]
    fn get(&mut self, number: u32) -> Step {
        let near = self.memo.get(number as usize).copied().flatten();
        let value = near.or_else(|| self.sparse.get(&number).copied());
        self.push(value.ok_or(Unreadable::Memo)?)
    }
}
