//! Strict JSON: one reading of a text, or none.
//!
//! Limits are held before anything is built, so that a hostile text costs one pass over its bytes.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

/// A JSON object.
pub type Object = Map<String, Value>;

/// Deepest nesting of objects and arrays.
pub const MAX_DEPTH: usize = 16;

/// Most digits of a number, those of fraction and exponent included. A whole number fits 64 bits, too.
pub const MAX_DIGITS: usize = 20;

/// Most members of objects and elements of lists, those of all levels together; an empty object or list counts once more.
/// Each is built before a signature is looked at, so a text of nothing but such would cost many times what it should.
pub const MAX_VALUES: usize = 256;

/// Whole numbers with fewer digits always fit.
const MAX_WHOLE_DIGITS: usize = 19;

/// The text is not strict JSON with an object at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a strict JSON object")]
pub struct NotStrictJson;

/// Reads an object.
///
/// # Errors
///
/// [`NotStrictJson`] for bytes that are not UTF-8, a byte order mark, anything but an object at the top or anything
/// after it, a member named twice at any level, NaN or infinity, a whole number beyond 64 bits, or more than
/// [`MAX_DEPTH`], [`MAX_DIGITS`] or [`MAX_VALUES`].
pub fn parse_object(bytes: &[u8]) -> Result<Object, NotStrictJson> {
    parse_wide_object(bytes, MAX_VALUES)
}

/// Reads an object of another number of values than [`MAX_VALUES`].
pub(super) fn parse_wide_object(bytes: &[u8], most: usize) -> Result<Object, NotStrictJson> {
    let text = std::str::from_utf8(bytes).map_err(|_| NotStrictJson)?;
    if !is_within_limits(text, most) {
        return Err(NotStrictJson);
    }
    match serde_json::from_str::<Strict>(text) {
        Ok(Strict(Value::Object(object))) => Ok(object),
        Ok(_) | Err(_) => Err(NotStrictJson),
    }
}

/// Whether depth, numbers and count of values are within limits. Right for valid JSON; of other text it may say either,
/// and the parser refuses that.
pub(super) fn is_within_limits(text: &str, most: usize) -> bool {
    let (mut depth, mut length_of_number, mut values) = (0_usize, 0_usize, 0_usize);
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-' => {
                length_of_number += 1;
                continue;
            }
            b'"' => skip_string(&mut bytes),
            // Each one but the first of an object or list has a comma before it.
            b',' => values += 1,
            b'{' | b'[' => {
                depth += 1;
                values += 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        // Inside an object every number is followed by something.
        let is_long = length_of_number >= MAX_WHOLE_DIGITS;
        let number = at - length_of_number..at;
        if depth > MAX_DEPTH
            || values > most
            || (is_long && !is_short_number(&text.as_bytes()[number]))
        {
            return false;
        }
        length_of_number = 0;
    }
    true
}

fn skip_string(bytes: &mut impl Iterator<Item = (usize, u8)>) {
    while let Some((_, byte)) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
}

/// Whether a number has few digits, and if it is whole fits 64 bits: as a float it would be another one.
fn is_short_number(bytes: &[u8]) -> bool {
    let is_whole = !bytes.iter().any(|byte| b".eE".contains(byte));
    let fits = |text: &str| text.parse::<u64>().is_ok() || text.parse::<i64>().is_ok();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    digits <= MAX_DIGITS && (!is_whole || std::str::from_utf8(bytes).is_ok_and(fits))
}

/// A value without members named twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without duplicate members")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(element)) = elements.next_element()? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Object::new();
        while let Some(name) = members.next_key::<String>()? {
            let Entry::Vacant(place) = object.entry(name) else {
                return Err(A::Error::custom("a member is named twice"));
            };
            let Strict(value) = members.next_value()?;
            place.insert(value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_strict(text: &str) -> bool {
        parse_object(text.as_bytes()).is_ok()
    }

    #[test]
    fn one_object_and_nothing_else() {
        assert!(is_strict("{}"));
        assert!(is_strict(
            " {\"a\" : [1, -2, 0.5, null, true, \"\\u00e9\\\"{\"]}\r\n"
        ));
        for text in [
            "",
            " ",
            "[]",
            "1",
            "\"x\"",
            "null",
            "{}{}",
            "{} x",
            "{\"a\":1,}",
            "{'a':1}",
            "{/**/}",
            "\u{feff}{}",
        ] {
            assert!(!is_strict(text), "{text:?}");
        }
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), Err(NotStrictJson));
    }

    #[test]
    fn no_member_is_named_twice_at_any_level() {
        assert!(is_strict(r#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#));
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            r#"{"a":1,"\u0061":1}"#,
        ] {
            assert!(!is_strict(text), "{text}");
        }
    }

    #[test]
    fn numbers_are_finite_and_short() {
        assert!(is_strict(
            r#"{"a":18446744073709551615,"b":[12345678901234567890,-9223372036854775808],"c":1.7e308}"#
        ));
        assert!(is_strict(r#"{"a":"123456789012345678901234567890"}"#));
        for text in [
            r#"{"a":123456789012345678901}"#,
            r#"{"a":18446744073709551616}"#,
            r#"{"a":[-9223372036854775809]}"#,
            r#"{"a":0.12345678901234567890}"#,
            r#"{"a":1e999}"#,
            r#"{"a":NaN}"#,
            r#"{"a":-Infinity}"#,
            r#"{"a":01}"#,
            r#"{"a":+1}"#,
        ] {
            assert!(!is_strict(text), "{text}");
        }
    }

    #[test]
    fn strings_are_unicode() {
        assert!(is_strict(r#"{"a":"\ud83d\ude00"}"#));
        assert!(!is_strict(r#"{"a":"\ud83d"}"#));
        assert!(!is_strict("{\"a\":\"\n\"}"));
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |depth: usize| {
            format!(
                "{{\"a\":{}{}}}",
                "[".repeat(depth - 1),
                "]".repeat(depth - 1)
            )
        };
        assert!(is_strict(&nested(MAX_DEPTH)));
        assert!(!is_strict(&nested(MAX_DEPTH + 1)));
        assert!(!is_strict(&"{\"a\":".repeat(100_000)));
        let brackets_in_a_string = format!("{{\"a\":\"\\\\\\\"{}\"}}", "[{".repeat(MAX_DEPTH));
        assert!(is_strict(&brackets_in_a_string));
    }

    #[test]
    fn values_are_counted_at_every_level() {
        let list = |count: usize| vec!["0"; count].join(",");
        assert!(is_strict(&format!("{{\"a\":[{}]}}", list(MAX_VALUES - 1))));
        assert!(!is_strict(&format!("{{\"a\":[{}]}}", list(MAX_VALUES))));
        let names = |count: usize| {
            let members: Vec<String> = (0..count).map(|name| format!("\"{name}\":[]")).collect();
            format!("{{{}}}", members.join(" , "))
        };
        assert!(is_strict(&names(MAX_VALUES / 2)));
        assert!(!is_strict(&names(MAX_VALUES / 2 + 1)));
        let objects = |count: usize| format!("{{\"a\":[{}]}}", vec!["{\"\":0}"; count].join(","));
        assert!(is_strict(&objects(MAX_VALUES / 2 - 1)));
        assert!(!is_strict(&objects(MAX_VALUES / 2)));
        assert!(is_strict(&format!(
            "{{\"a\":\"{}\"}}",
            "[{\\\",}".repeat(MAX_VALUES)
        )));
    }

    proptest! {
        /// Whatever serde_json writes with short numbers, the strict reader reads back.
        #[test]
        fn reads_what_is_written(members in prop::collection::btree_map(".*", (any::<i32>(), ".*", any::<bool>()), 0..6)) {
            let object: Object = members
                .into_iter()
                .map(|(name, value)| (name, serde_json::json!([value.0, value.1, value.2, (), {"a": {}}])))
                .collect();
            let text = serde_json::to_vec(&object).unwrap();
            prop_assert_eq!(parse_object(&text), Ok(object));
        }

        /// Arbitrary bytes never panic, and what is read, serde_json reads alike.
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(object) = parse_object(&bytes) {
                prop_assert_eq!(serde_json::from_slice::<Object>(&bytes).unwrap(), object);
            }
        }
    }
}
