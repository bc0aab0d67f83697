//! redb's types at run time.
//!
//! redb asks a type for its name, width and order through functions without a
//! receiver, so that a table of `(&str, u64)` and one of `(u32, &[u8])` are
//! different Rust types. One copy of redb's trees for each of 200 pairs would be
//! megabytes of code. So there is one type, [`Dynamic`], that answers with what
//! [`Shape::with`] has set for this thread: redb works on the calling thread alone.
//! Rows pass as bytes and are decoded here, where a damaged one is an error.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;

use mhost_model::ports::database::Value;
use redb::{Key, TypeName};

/// What redb asks of a type, and how its bytes are a [`Value`].
pub(super) struct Kind {
    name: fn() -> TypeName,
    width: fn() -> Option<usize>,
    order: fn(&[u8], &[u8]) -> Ordering,
    separator: for<'a> fn(&'a [u8], &'a [u8]) -> Cow<'a, [u8]>,
    least: fn() -> Option<Cow<'static, [u8]>>,
    form: Form,
}

#[derive(Clone, Copy)]
enum Form {
    Unit,
    Text,
    Bytes,
    /// Of so many bytes.
    Signed(usize),
    Unsigned(usize),
}

const fn kind<T: Key + 'static>(form: Form) -> Kind {
    Kind {
        name: T::type_name,
        width: T::fixed_width,
        order: T::compare,
        separator: T::separator,
        least: T::min_encoded_key,
        form,
    }
}

static UNIT: Kind = kind::<()>(Form::Unit);
static STR: Kind = kind::<&'static str>(Form::Text);
static BYTES: Kind = kind::<&'static [u8]>(Form::Bytes);
static I64: Kind = kind::<i64>(Form::Signed(8));
static OTHERS: [Kind; 10] = [
    kind::<String>(Form::Text),
    kind::<u8>(Form::Unsigned(1)),
    kind::<u16>(Form::Unsigned(2)),
    kind::<u32>(Form::Unsigned(4)),
    kind::<u64>(Form::Unsigned(8)),
    kind::<u128>(Form::Unsigned(16)),
    kind::<i8>(Form::Signed(1)),
    kind::<i16>(Form::Signed(2)),
    kind::<i32>(Form::Signed(4)),
    kind::<i128>(Form::Signed(16)),
];

impl Kind {
    fn find(name: &TypeName) -> Option<&'static Self> {
        [&UNIT, &STR, &BYTES, &I64]
            .into_iter()
            .chain(&OTHERS)
            .find(|kind| (kind.name)() == *name)
    }

    /// The same by what a file has stored: a byte that says whose type it is, 1 for redb's own, and its name.
    fn stored(name: &[u8]) -> Option<&'static Self> {
        let name = std::str::from_utf8(name.strip_prefix(&[1])?).ok()?;
        let mut kinds = [&UNIT, &STR, &BYTES, &I64].into_iter().chain(&OTHERS);
        kinds.find(|kind| (kind.name)().name() == name)
    }

    /// The type of a new table's column that is to hold `value`.
    fn of(value: &Value) -> Option<&'static Self> {
        match value {
            Value::Null => Some(&UNIT),
            Value::Integer(_) => Some(&I64),
            Value::Text(_) => Some(&STR),
            Value::Blob(_) => Some(&BYTES),
            Value::Real(_) => None,
        }
    }

    pub fn name(&self) -> String {
        (self.name)().name().to_owned()
    }

    /// The value of stored bytes; says what is wrong with them.
    pub fn decode(&self, bytes: &[u8]) -> Result<Value, String> {
        match self.form {
            Form::Unit if bytes.is_empty() => Ok(Value::Null),
            Form::Text => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Value::Text(text.to_owned())),
                Err(error) => Err(format!("a {} is not UTF-8: {error}", self.name())),
            },
            Form::Bytes => Ok(Value::Blob(bytes.to_vec())),
            Form::Signed(width) if bytes.len() == width => Ok(signed(bytes)),
            Form::Unsigned(width) if bytes.len() == width => Ok(unsigned(bytes)),
            _ => Err(format!("a {} has {} bytes", self.name(), bytes.len())),
        }
    }

    /// The bytes of a value; `None` if this type cannot hold it.
    pub fn encode<'v>(&self, value: &'v Value) -> Option<Cow<'v, [u8]>> {
        match (self.form, value) {
            (Form::Unit, Value::Null) => Some(Cow::Borrowed(&[])),
            (Form::Text, Value::Text(text)) => Some(Cow::Borrowed(text.as_bytes())),
            (Form::Bytes, Value::Blob(bytes)) => Some(Cow::Borrowed(bytes)),
            (Form::Signed(width), _) => {
                let number = match value {
                    Value::Integer(number) => i128::from(*number),
                    Value::Text(text) => large(text)?,
                    _ => return None,
                };
                let bytes = number.to_le_bytes();
                (signed_number(&bytes[..width]) == number)
                    .then(|| Cow::Owned(bytes[..width].to_vec()))
            }
            (Form::Unsigned(width), _) => {
                let number = match value {
                    Value::Integer(number) => u128::try_from(*number).ok()?,
                    Value::Text(text) => large(text)?,
                    _ => return None,
                };
                let bytes = number.to_le_bytes();
                (unsigned_number(&bytes[..width]) == number)
                    .then(|| Cow::Owned(bytes[..width].to_vec()))
            }
            _ => None,
        }
    }
}

/// A number beyond an `i64` stands as its decimal text, so that nothing is lost.
fn large<N: std::str::FromStr + ToString + TryInto<i64> + Copy>(text: &str) -> Option<N> {
    let number: N = text.parse().ok()?;
    let beyond = number.try_into().is_err();
    (beyond && number.to_string() == text).then_some(number)
}

fn signed_number(bytes: &[u8]) -> i128 {
    let negative = bytes.last().is_some_and(|high| *high >= 0x80);
    let mut wide = [if negative { 0xff } else { 0 }; 16];
    wide[..bytes.len()].copy_from_slice(bytes);
    i128::from_le_bytes(wide)
}

fn unsigned_number(bytes: &[u8]) -> u128 {
    let mut wide = [0; 16];
    wide[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(wide)
}

fn signed(bytes: &[u8]) -> Value {
    let number = signed_number(bytes);
    i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Integer)
}

fn unsigned(bytes: &[u8]) -> Value {
    let number = unsigned_number(bytes);
    i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Integer)
}

/// The types of one table.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub key: &'static Kind,
    pub value: &'static Kind,
}

/// What a table is opened with to learn its real types.
pub(super) const PROBE: Shape = Shape {
    key: &UNIT,
    value: &UNIT,
};

thread_local! {
    static CURRENT: Cell<Shape> = const { Cell::new(PROBE) };
}

/// Puts the former shape back, also when redb panics.
struct Former(Shape);

impl Drop for Former {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

impl Shape {
    /// The shape of types that redb names; `None` if one is not supported.
    pub fn find(key: &TypeName, value: &TypeName) -> Option<Self> {
        Some(Self {
            key: Kind::find(key)?,
            value: Kind::find(value)?,
        })
    }

    /// The same for types as a file has stored them.
    pub fn named(key: &[u8], value: &[u8]) -> Option<Self> {
        Some(Self {
            key: Kind::stored(key)?,
            value: Kind::stored(value)?,
        })
    }

    /// The shape of a new table for such a row.
    pub fn of(key: &Value, value: &Value) -> Option<Self> {
        Some(Self {
            key: Kind::of(key).filter(|kind| !matches!(kind.form, Form::Unit))?,
            value: Kind::of(value)?,
        })
    }

    /// Runs work on tables of this shape. What it opens must not outlive it.
    pub fn with<T>(self, work: impl FnOnce() -> T) -> T {
        let _former = Former(CURRENT.replace(self));
        work()
    }
}

/// The key's or the value's type of the current [`Shape`]; its values are bytes.
#[derive(Debug)]
pub(super) struct Dynamic<const VALUE: bool>;

pub(super) type Keys = Dynamic<false>;
pub(super) type Values = Dynamic<true>;

impl<const VALUE: bool> Dynamic<VALUE> {
    fn kind() -> &'static Kind {
        let shape = CURRENT.get();
        if VALUE { shape.value } else { shape.key }
    }
}

impl<const VALUE: bool> redb::Value for Dynamic<VALUE> {
    type SelfType<'a> = &'a [u8];
    type AsBytes<'a> = &'a [u8];

    fn fixed_width() -> Option<usize> {
        (Self::kind().width)()
    }

    fn from_bytes<'a>(data: &'a [u8]) -> &'a [u8]
    where
        Self: 'a,
    {
        data
    }

    fn as_bytes<'a, 'b: 'a>(value: &'a &'b [u8]) -> &'a [u8] {
        value
    }

    fn type_name() -> TypeName {
        (Self::kind().name)()
    }
}

impl<const VALUE: bool> Key for Dynamic<VALUE> {
    fn compare(left: &[u8], right: &[u8]) -> Ordering {
        (Self::kind().order)(left, right)
    }

    fn separator<'a>(left: &'a [u8], right: &'a [u8]) -> Cow<'a, [u8]> {
        (Self::kind().separator)(left, right)
    }

    fn min_encoded_key() -> Option<Cow<'static, [u8]>> {
        (Self::kind().least)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> impl Iterator<Item = &'static Kind> {
        [&UNIT, &STR, &BYTES, &I64].into_iter().chain(&OTHERS)
    }

    #[test]
    fn numbers_at_the_edges() {
        let text = |n: &dyn ToString| Value::Text(n.to_string());
        for (kind, good) in [
            (kind::<u8>(Form::Unsigned(1)), Value::Integer(255)),
            (kind::<i8>(Form::Signed(1)), Value::Integer(-128)),
            (kind::<u64>(Form::Unsigned(8)), text(&u64::MAX)),
            (kind::<u64>(Form::Unsigned(8)), Value::Integer(i64::MAX)),
            (kind::<i64>(Form::Signed(8)), Value::Integer(i64::MIN)),
            (kind::<i128>(Form::Signed(16)), text(&i128::MIN)),
            (kind::<u128>(Form::Unsigned(16)), text(&u128::MAX)),
        ] {
            let bytes = kind.encode(&good).unwrap();
            assert_eq!(kind.decode(&bytes), Ok(good));
        }
        for (kind, bad) in [
            (kind::<u8>(Form::Unsigned(1)), Value::Integer(256)),
            (kind::<u8>(Form::Unsigned(1)), Value::Integer(-1)),
            (kind::<i8>(Form::Signed(1)), Value::Integer(128)),
            (kind::<u64>(Form::Unsigned(8)), Value::Text("5".into())),
            (kind::<u64>(Form::Unsigned(8)), text(&u128::MAX)),
            (
                kind::<u64>(Form::Unsigned(8)),
                Value::Text("+18446744073709551615".into()),
            ),
            (kind::<i64>(Form::Signed(8)), Value::Real(1.0)),
        ] {
            assert_eq!(kind.encode(&bad), None, "{bad:?}");
        }
    }

    #[test]
    fn damaged_bytes_are_errors() {
        assert!(STR.decode(&[0xff]).is_err());
        assert!(I64.decode(&[1, 2, 3]).is_err());
        assert!(UNIT.decode(&[1]).is_err());
    }

    #[test]
    fn kinds_are_found_by_name() {
        for kind in every() {
            let found = Kind::find(&(kind.name)()).unwrap();
            assert_eq!(found.name(), kind.name());
        }
        assert!(Kind::find(&<f64 as redb::Value>::type_name()).is_none());
        assert!(
            Kind::find(&TypeName::new("u64")).is_none(),
            "a user's own `u64`"
        );
    }
}
