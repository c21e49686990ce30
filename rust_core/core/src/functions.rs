//! The Redis functions: their source, and names that carry a digest of it, so that two releases run side by side.

use std::sync::LazyLock;

use aws_lc_rs::digest;

/// The parts of the library, in the order in which they are joined.
const PARTS: &[&str] = &[
    include_str!("lua/node.lua"),
    include_str!("lua/records.lua"),
    include_str!("lua/index.lua"),
    include_str!("lua/ends.lua"),
    include_str!("lua/deadlines.lua"),
    include_str!("lua/rotate.lua"),
    include_str!("lua/contest.lua"),
    include_str!("lua/limits.lua"),
    include_str!("lua/rebuild.lua"),
    include_str!("lua/step_up.lua"),
    include_str!("lua/rate.lua"),
    include_str!("lua/govern.lua"),
    include_str!("lua/read.lua"),
];

/// The library with its name and clock offset still open.
static TEMPLATE: LazyLock<String> = LazyLock::new(|| PARTS.join("\n"));

static LIBRARY_NAME: LazyLock<String> = LazyLock::new(|| {
    let full = digest::digest(&digest::SHA256, TEMPLATE.as_bytes());
    let hex = full
        .as_ref()
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"));
    format!("argus_{}", hex.collect::<String>())
});

/// Name of the library: `argus_` and 8 hex digits of the digest of its source.
#[must_use]
pub fn library_name() -> &'static str {
    &LIBRARY_NAME
}

/// Full name of a function, e.g. of `rotate`.
#[must_use]
pub fn function_name(short: &str) -> String {
    format!("{}_{short}", library_name())
}

/// Source of the library, for `FUNCTION LOAD`. The offset moves its clock (tests); it does not change its names.
#[must_use]
pub fn library(offset_ms: i64) -> String {
    TEMPLATE
        .replace("@LIBRARY@", library_name())
        .replace("@OFFSET_MS@", &offset_ms.to_string())
}

#[cfg(test)]
mod tests {
    use super::{function_name, library, library_name};

    #[test]
    fn names_carry_the_version_of_the_source() {
        assert_eq!(library_name().len(), "argus_".len() + 8);
        assert_eq!(
            function_name("rotate"),
            format!("{}_rotate", library_name())
        );
    }

    #[test]
    fn the_library_has_no_open_places() {
        let source = library(-1500);
        assert!(source.starts_with(&format!("#!lua name={}\n", library_name())));
        assert!(source.contains("local OFFSET_MS = -1500\n"));
        assert!(!source.contains('@'));
    }

    #[test]
    fn the_offset_does_not_change_the_names() {
        assert_eq!(
            library(0).replace("OFFSET_MS = 0", "OFFSET_MS = 7"),
            library(7)
        );
    }
}
