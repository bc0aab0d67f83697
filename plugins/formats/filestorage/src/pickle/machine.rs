//! The pickle machine. Opcodes are named as in the language's own `pickletools`.

mod memo;
mod stack;

use super::Unreadable;
use super::input::{Input, newline};
use super::text;
use super::value::Value;
use crate::layout::Oid;
use memo::Memo;
use stack::Stack;

/// So many values that can come to mean a reference may be kept at once, in the stack and in the memo: 48 MiB each. Real
/// records keep a few hundred.
const MOST_VALUES: usize = 2_000_000;

/// Of an opcode that pushes a value which can mean no reference, how many bytes it takes with its operand, or what kind
/// it is of; 0 for all others.
const PLAIN: [u8; 256] = {
    let mut table = [0; 256];
    let fixed = b"N)}KMJG";
    let lengths = [1, 1, 1, 2, 3, 5, 9];
    let mut n = 0;
    while n < fixed.len() {
        table[fixed[n] as usize] = lengths[n];
        n += 1;
    }
    (table[0x88], table[0x89]) = (1, 1);
    table[b'U' as usize] = SPECIAL | SHORT_TEXT;
    table[b'C' as usize] = SPECIAL | SHORT_TEXT;
    table[0x8c] = SPECIAL | SHORT_TEXT;
    table[b'X' as usize] = SPECIAL | TEXT;
    table[b'c' as usize] = SPECIAL | CLASS;
    table[b'q' as usize] = SPECIAL | PUT;
    table[0x80] = SPECIAL;
    table
};
/// One that takes more than a number of bytes says.
const SPECIAL: u8 = 0x80;
/// A text with its length before it, in one byte or in four: it can mean a reference where it has the length of an id.
const SHORT_TEXT: u8 = 1;
const TEXT: u8 = 2;
/// Two lines of text.
const CLASS: u8 = 4;
/// What puts the last value into the memo.
const PUT: u8 = 8;

/// The length of two lines, their ends included.
#[inline]
fn two_lines(data: &[u8]) -> Option<usize> {
    let first = newline(data)? + 1;
    Some(first + newline(&data[first..])? + 1)
}

/// A reference as ZODB writes nearly all of them: a tuple of an object's id and its class, which is in the memo; id and
/// tuple are put there.
struct Reference {
    oid: Oid,
    /// The class's number in the memo.
    class: u32,
}

impl Reference {
    const LENGTH: usize = 18;

    /// One at the start of the data that puts the numbers `next` and the one after it.
    #[inline]
    fn read(data: &[u8], next: u32) -> Option<Self> {
        let data: &[u8; Self::LENGTH] = data.first_chunk()?;
        let [
            b'C',
            8,
            oid @ ..,
            b'q',
            first,
            b'h',
            class,
            0x86,
            b'q',
            second,
            b'Q',
        ] = data
        else {
            return None;
        };
        let in_order = u32::from(*first) == next && u32::from(*second) == next + 1;
        in_order.then(|| Self {
            oid: Oid(u64::from_be_bytes(*oid)),
            class: u32::from(*class),
        })
    }
}

/// The state of one record's two pickles.
#[derive(Default)]
pub struct Machine {
    stack: Stack,
    memo: Memo,
    line: Vec<u8>,
}

type Step<T = ()> = Result<T, Unreadable>;

impl Machine {
    pub fn reset(&mut self) {
        self.stack.clear();
        self.memo.clear();
    }

    /// One pickle, to its `STOP`.
    pub fn pickle(&mut self, data: &mut impl Input, found: &mut dyn FnMut(Oid)) -> Step {
        self.stack.clear();
        loop {
            self.plain(data, found)?;
            let code = data.byte()?;
            if code == b'.' {
                return self.stack.drop(1).map(|_| ());
            }
            self.step(code, data, found)?;
        }
    }

    /// Takes what most of a record is made of, as far as it lies in memory: values that can mean no reference, those that
    /// are put into the memo at once, and references as ZODB writes them. What comes then is [`Self::step`]'s, whatever
    /// it is.
    #[inline]
    fn plain(&mut self, data: &mut impl Input, found: &mut dyn FnMut(Oid)) -> Step {
        let rest = data.ahead();
        let (mut at, mut depth) = (0, self.stack.depth());
        // Nothing that is put here comes near the end.
        let row = self.memo.next().filter(|next| *next < u32::MAX - 512);
        let (mut next, in_row) = (row.unwrap_or_default(), row.is_some());
        let first = self.memo.first();
        let solid = self.stack.solid();
        // Eight bytes at a time hold an opcode and its operand; what is nearer to the end is left to the steps.
        while let Some(head) = rest.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let head = u64::from_le_bytes(*head);
            let plain = PLAIN[usize::from(head as u8)];
            // Bit by bit, because a jump over a table is often guessed wrong.
            let length = if plain & SPECIAL == 0 {
                u64::from(plain)
            } else if plain & TEXT != 0 {
                match (head >> 8) as u32 {
                    // It can be an object's id.
                    8 => break,
                    length => 5 + u64::from(length),
                }
            } else if plain & PUT != 0 {
                let number = (head >> 8) as u8;
                if depth <= solid || u32::from(number) != next || !in_row {
                    break;
                }
                next += 1;
                at += 2;
                continue;
            } else if plain & SHORT_TEXT != 0 {
                match (head >> 8) as u8 {
                    8 => match Reference::read(&rest[at..], next) {
                        Some(reference) if in_row && self.memo.holds(reference.class, next) => {
                            self.memo.refer(&mut next, reference.oid)?;
                            found(reference.oid);
                            depth += 1;
                            at += Reference::LENGTH;
                            continue;
                        }
                        _ => break,
                    },
                    length => 2 + u64::from(length),
                }
            } else if plain & CLASS != 0 {
                match two_lines(&rest[at + 1..]) {
                    None => break,
                    Some(length) => 1 + length as u64,
                }
            } else if (head >> 8) as u8 <= 5 {
                at += 2;
                continue;
            } else {
                break;
            };
            if length == 0 || length > (rest.len() - at) as u64 {
                break;
            }
            at += length as usize;
            depth += 1;
            // What is pushed is mostly put into the memo at once.
            match rest.get(at..).and_then(|rest| rest.first_chunk::<2>()) {
                Some([b'q', number]) if u32::from(*number) == next && in_row => at += 2,
                Some([0x94, _]) if first == 0 && in_row => at += 1,
                _ => continue,
            }
            next += 1;
        }
        data.advance(at);
        self.stack.set_depth(depth);
        if in_row {
            self.memo.set_next(next);
        }
        Ok(())
    }

    fn persistent(&mut self, found: &mut dyn FnMut(Oid)) -> Step {
        if let Some(oid) = self.stack.drop(1)?.reference()? {
            found(oid);
        }
        self.other()
    }

    #[inline]
    fn step(&mut self, code: u8, data: &mut impl Input, found: &mut dyn FnMut(Oid)) -> Step {
        match code {
            // References.
            b'Q' => self.persistent(found),
            b'P' => {
                let id = text::raw(data.line(&mut self.line)?);
                self.stack.push(id)?;
                self.persistent(found)
            }
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
            0x94 => self.put(self.memo.count()),
            // Numbers and constants.
            b'N' | 0x88 | 0x89 => self.other(),
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
            b'(' => self.stack.mark(),
            b')' => self.other(),
            b']' => self.stack.push(Value::List),
            b'}' | 0x8f => self.other(),
            b't' => {
                let mark = self.stack.pop_mark()?;
                self.tuple(mark)
            }
            0x85..=0x87 => {
                let mark = self.stack.below(u64::from(code - 0x84))?;
                self.tuple(mark)
            }
            b'l' => {
                let mark = self.stack.pop_mark()?;
                self.replace(mark, Value::List)
            }
            b'd' | 0x91 | b'o' => {
                let mark = self.stack.pop_mark()?;
                self.replace(mark, Value::Other)
            }
            // They change the value below what they take.
            b'a' | b'b' | b'0' => self.stack.drop(1).map(|_| ()),
            b's' => self.stack.drop(2).map(|_| ()),
            b'e' | b'u' | 0x90 | b'1' => {
                let mark = self.stack.pop_mark()?;
                self.stack.take(mark);
                // All but POP_MARK change what lies below.
                match code == b'1' || mark > self.stack.floor() {
                    true => Ok(()),
                    false => Err(Unreadable::Stack),
                }
            }
            b'2' => {
                let top = self.stack.top()?;
                self.stack.push(top)
            }
            // Classes and what is made of them.
            b'c' => {
                data.line(&mut self.line)?;
                data.line(&mut self.line)?;
                self.other()
            }
            b'R' | 0x81 | 0x93 => {
                let mark = self.stack.below(2)?;
                self.replace(mark, Value::Other)
            }
            0x92 => {
                let mark = self.stack.below(3)?;
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
            0x97 => self.other(),
            0x98 => self.stack.top().map(|_| ()),
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
                self.stack.push(value)
            }
            b'V' => {
                let value = text::escaped(line)?;
                self.stack.push(value)
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
                let mark = self.stack.pop_mark()?;
                self.replace(mark, Value::Other)
            }
            _ => self.other(),
        }
    }

    #[inline]
    fn text(&mut self, length: u64, data: &mut impl Input) -> Step {
        if length == 8 {
            let value = Value::of_text(&data.bytes::<8>()?);
            return self.stack.push(value);
        }
        data.skip(length)?;
        self.other()
    }

    #[inline]
    fn fixed(&mut self, length: u64, data: &mut impl Input) -> Step {
        data.skip(length)?;
        self.other()
    }

    #[inline]
    fn other(&mut self) -> Step {
        self.stack.push(Value::Other)
    }

    #[inline]
    fn tuple(&mut self, mark: u64) -> Step {
        let first = self.stack.take(mark);
        self.stack.push(Value::tuple(first))
    }

    fn replace(&mut self, from: u64, value: Value) -> Step {
        self.stack.take(from);
        self.stack.push(value)
    }

    #[inline]
    fn put(&mut self, number: u32) -> Step {
        let value = self.stack.top()?;
        self.memo.put(number, value)
    }

    #[inline]
    fn get(&mut self, number: u32) -> Step {
        let value = self.memo.get(number)?;
        self.stack.push(value)
    }
}
