//! Values as JSON text: ordinary ones, and those on which parsers differ.

use fastrand::Rng;

/// One of some texts.
pub(crate) fn pick<'a>(random: &mut Rng, choices: &[&'a str]) -> &'a str {
    choices[random.usize(..choices.len())]
}

/// A string as JSON text.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A string as JSON text, some of its characters as escapes.
pub(crate) fn escaped(random: &mut Rng, text: &str) -> String {
    let mut json = String::from('"');
    for character in text.chars() {
        if random.u8(..4) == 0 || character < ' ' || "\"\\".contains(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let hex = format!("{unit:04x}");
                let hex = if random.bool() {
                    hex.to_uppercase()
                } else {
                    hex
                };
                json.push_str("\\u");
                json.push_str(&hex);
            }
        } else {
            json.push(character);
        }
    }
    json.push('"');
    json
}

/// A text of any characters.
pub(crate) fn text(random: &mut Rng) -> String {
    const ODD: [char; 12] = [
        '\u{e9}',
        'e',
        '\u{301}',
        '\u{200d}',
        '\u{feff}',
        '\u{202e}',
        '\u{1f600}',
        '\u{fffd}',
        '\u{10ffff}',
        '/',
        '\u{2028}',
        '\u{7f}',
    ];
    let length = random.usize(..12);
    (0..length)
        .map(|_| {
            if random.u8(..3) == 0 {
                ODD[random.usize(..ODD.len())]
            } else {
                random.alphanumeric()
            }
        })
        .collect()
}

/// A number as JSON text: short and long, whole and not.
pub(crate) fn number(random: &mut Rng) -> String {
    const ODD: [&str; 22] = [
        "0",
        "-0",
        "-0.0",
        "1e2",
        "1E+2",
        "1.0",
        "1e-7",
        "1e308",
        "1e309",
        "-1e400",
        "1e-400",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999",
        "100000000000000000000",
        "0.1",
        "123456789012345678901234567890",
    ];
    match random.u8(..4) {
        0 => ODD[random.usize(..ODD.len())].to_owned(),
        1 => random.i32(..).to_string(),
        2 => format!("{}.{}", random.u32(..), random.u64(..1 << 33)),
        _ => format!("{}e{}", random.u32(..), random.i8(-30..30)),
    }
}

/// Any value as JSON text, nested a little.
pub(crate) fn value(random: &mut Rng, depth: u8) -> String {
    match random.u8(..if depth == 0 { 4 } else { 6 }) {
        0 => pick(random, &["null", "true", "false", "[]", "{}", "\"\""]).to_owned(),
        1 => number(random),
        2 => {
            let text = text(random);
            escaped(random, &text)
        }
        3 => quoted(&text(random)),
        4 => {
            let elements: Vec<String> = (0..random.u8(..4))
                .map(|_| value(random, depth - 1))
                .collect();
            format!("[{}]", elements.join(","))
        }
        _ => {
            let members: Vec<String> = (0..random.u8(..4))
                .map(|place| format!("\"{place}\":{}", value(random, depth - 1)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

/// A value that is like those of other tokens.
pub(crate) fn plain(random: &mut Rng) -> String {
    let (text, number) = (text(random), random.i32(..));
    let text = quoted(&text);
    format!("{{\"a\":[{number},{number}.5,null],\"b\":{text}}}")
}

/// A value that is deeper, wider or longer than is sane, or just not.
pub(crate) fn heavy(random: &mut Rng) -> String {
    let size = random.usize(10..24);
    match random.u8(..4) {
        0 => format!("{}{}", "[".repeat(size), "]".repeat(size)),
        1 => format!("{}1{}", "{\"a\":".repeat(size), "}".repeat(size)),
        2 => {
            let element = pick(random, &["0,", "{\"\":0},", "[],"]);
            format!("[{}0]", element.repeat(size * 20))
        }
        _ => quoted(&"a".repeat(random.usize(1000..8000))),
    }
}
