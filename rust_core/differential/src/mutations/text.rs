//! Changes of the text: of a part before it is signed, and of the whole token after.

use fastrand::Rng;

use super::Mutation;
use crate::draft::{TextEdit, TokenEdit};
use crate::values::{pick, value};

macro_rules! part {
    ($name:literal, $edit:expr) => {
        Mutation {
            name: $name,
            apply: |_, draft, random| {
                let edit: TextEdit = $edit;
                if random.u8(..3) == 0 {
                    draft.header_edits.push(edit);
                } else {
                    draft.payload_edits.push(edit);
                }
            },
        }
    };
}

macro_rules! whole {
    ($name:literal, $edit:expr) => {
        Mutation {
            name: $name,
            apply: |_, draft, _| {
                let edit: TokenEdit = $edit;
                draft.token_edits.push(edit);
            },
        }
    };
}

pub(super) const ALL: [Mutation; 21] = [
    part!("json.twice", twice),
    part!("json.twice_escaped", |text, random| add(
        text,
        random,
        "\"\\u0065xp\":1,"
    )),
    part!("json.twice_inside", |text, random| add(
        text,
        random,
        "\"in\":[{\"a\":1,\"a\":1}],"
    )),
    part!("json.space", space),
    part!("json.literal", literal),
    part!("json.form", form),
    part!("json.around", around),
    part!("json.not_an_object", |text, random| {
        *text = pick(random, &["", "[]", "1", "null", "\"x\"", "{}", "{", "[{}]"]).into();
    }),
    part!("text.not_utf8", |text, random| {
        let bad: &[u8] = [
            &b"\xff"[..],
            b"\xc0\xaf",
            b"\xed\xa0\x80",
            b"\xf5\x80\x80\x80",
            b"\x80",
        ][random.usize(..5)];
        insert(text, b",\"u\":\"", bad);
    }),
    part!("text.surrogates", |text, random| {
        let escape = pick(
            random,
            &[
                "\\ud83d\\ude00",
                "\\ud83d",
                "\\ude00\\ud83d",
                "\\uD83Dx",
                "\\ud83d\\u0041",
            ],
        );
        insert(text, b",\"u\":\"", escape.as_bytes());
    }),
    part!("text.byte", |text, random| {
        let at = random.usize(..text.len().max(1));
        if let Some(byte) = text.get_mut(at) {
            *byte ^= 1 << random.u8(..8);
        }
    }),
    whole!("base64.padded", |token, random| token
        .push_str(pick(random, &["=", "==", "===="]))),
    whole!("base64.other_alphabet", |token, _| *token =
        token.replace('-', "+").replace('_', "/")),
    whole!("base64.trailing_bits", trailing_bits),
    whole!("base64.white_space", |token, random| {
        let at = random.usize(..=token.len());
        token.insert_str(
            at,
            pick(
                random,
                &[" ", "\n", "\r\n", "\t", "\u{a0}", "\u{200b}", "\0"],
            ),
        );
    }),
    whole!("parts", |token, random| {
        *token = match random.u8(..6) {
            0 => format!("{token}.e30"),
            1 => token.replacen('.', "", 1),
            2 => token.replacen('.', "..", 1),
            3 => format!("{token}."),
            4 => format!(".{token}"),
            _ => token
                .rsplit_once('.')
                .map_or_else(String::new, |(input, _)| input.to_owned()),
        };
    }),
    whole!("signature.bit", |token, random| edit_signature(
        token,
        |signature| {
            if let Some(byte) = signature.first_mut() {
                *byte ^= 1 << random.u8(..8);
            }
        }
    )),
    whole!("signature.length", |token, random| edit_signature(
        token,
        |signature| match random.u8(..4) {
            0 => signature.clear(),
            1 => signature.insert(0, 0),
            2 => signature.push(0),
            _ => signature.truncate(signature.len().saturating_sub(1)),
        }
    )),
    whole!("signature.zero", |token, random| edit_signature(
        token,
        |signature| {
            signature.fill([0, 0xff][random.usize(..2)]);
        }
    )),
    whole!("token.character", |token, random| {
        let at = random.usize(..token.len().max(1));
        let letter = random.alphanumeric();
        if token.is_char_boundary(at) && token.is_char_boundary(at + 1) && at < token.len() {
            token.replace_range(at..=at, letter.encode_utf8(&mut [0; 4]));
        }
    }),
    whole!("token.cut", |token, random| {
        let at = random.usize(..=token.len());
        if token.is_char_boundary(at) {
            token.truncate(at);
        }
    }),
];

/// Puts a member in front.
fn add(text: &mut Vec<u8>, _: &mut Rng, member: &str) {
    let whole = String::from_utf8_lossy(text).replacen('{', &format!("{{{member}"), 1);
    *text = whole.into_bytes();
}

/// Names a member a second time, with the same value or another.
fn twice(text: &mut Vec<u8>, random: &mut Rng) {
    let names = [
        "alg",
        "typ",
        "kid",
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "jti",
        "client_id",
        "sid",
        "fam",
        "acr",
    ];
    let member = format!("\"{}\":{},", pick(random, &names), value(random, 1));
    add(text, random, &member);
}

fn space(text: &mut Vec<u8>, random: &mut Rng) {
    let space = pick(
        random,
        &[" ", "\n", "\t", "\r\n", "\u{a0}", "\u{b}", "/**/", "\0"],
    );
    let whole = String::from_utf8_lossy(text);
    *text = whole
        .replace(',', &format!(",{space}"))
        .replace("\":", &format!("\"{space}:"))
        .into_bytes();
}

fn literal(text: &mut Vec<u8>, random: &mut Rng) {
    let literals = [
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "+1",
        ".5",
        "1.",
        "0x10",
        "True",
        "nul",
        "'a'",
        "1e",
        "--1",
        "1_000",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"a\tb\"",
        "undefined",
    ];
    let member = format!("\"more\":{},", pick(random, &literals));
    add(text, random, &member);
}

fn form(text: &mut Vec<u8>, random: &mut Rng) {
    let whole = String::from_utf8_lossy(text);
    *text = match random.u8(..5) {
        0 => whole.replacen('}', ",}", 1),
        1 => whole.replacen(',', ",,", 1),
        2 => whole.replace('"', "'"),
        3 => whole.replacen(':', "=", 1),
        _ => whole.replacen(',', ";", 1),
    }
    .into_bytes();
}

fn around(text: &mut Vec<u8>, random: &mut Rng) {
    let before = pick(random, &["", "\u{feff}", " ", "\n", "x", "\0"]);
    let after = pick(random, &["", " ", "\n", "{}", "x", "\0", ","]);
    let whole = String::from_utf8_lossy(text);
    *text = format!("{before}{whole}{after}").into_bytes();
}

/// Adds a member at the end whose string holds some bytes.
fn insert(text: &mut Vec<u8>, before: &[u8], bytes: &[u8]) {
    if text.pop().is_some() {
        text.extend([before, bytes, b"\"}"].concat());
    }
}

/// Another last character of a part that decodes to the same bytes.
fn trailing_bits(token: &mut String, random: &mut Rng) {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let ends: Vec<usize> = token
        .match_indices('.')
        .map(|(at, _)| at)
        .chain([token.len()])
        .collect();
    let end = ends[random.usize(..ends.len())];
    let place = token
        .get(end.saturating_sub(1)..end)
        .filter(|last| !last.is_empty())
        .and_then(|last| ALPHABET.find(last));
    if let Some(next) = place.and_then(|place| ALPHABET.get(place + 1..place + 2)) {
        token.replace_range(end - 1..end, next);
    }
}

fn edit_signature(token: &mut String, edit: impl FnOnce(&mut Vec<u8>)) {
    let Some((input, signature)) = token.rsplit_once('.') else {
        return;
    };
    let Ok(mut bytes) = argus_core::token::base64url::decode(signature) else {
        return;
    };
    edit(&mut bytes);
    *token = format!("{input}.{}", argus_core::token::base64url::encode(&bytes));
}
