//! gRPC messages in their frames: one byte of compression, four of length, and the content.

/// Length of what leads a message.
pub(crate) const PREFIX: usize = 5;

/// Bytes of the first message with its prefix; `None`: the prefix is not there yet.
pub(crate) fn content_length(bytes: impl Iterator<Item = u8>) -> Option<usize> {
    let mut prefix = [0; PREFIX];
    let mut seen = 0;
    for (place, byte) in prefix.iter_mut().zip(bytes) {
        *place = byte;
        seen += 1;
    }
    let [_, length @ ..] = prefix;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    (seen == PREFIX).then(|| PREFIX.saturating_add(length))
}

/// The one message of a request, if it is there whole and plain.
pub(crate) fn plain_content(message: &[u8]) -> Option<&[u8]> {
    let (prefix, content) = message.split_first_chunk::<PREFIX>()?;
    let is_whole = content_length(prefix.iter().copied()) == Some(message.len());
    (prefix.first() == Some(&0) && is_whole).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_plain_and_whole_or_none() {
        assert_eq!(plain_content(&[0, 0, 0, 0, 2, 7, 8]), Some(&[7, 8][..]));
        assert_eq!(plain_content(&[0, 0, 0, 0, 0]), Some(&[][..]));
        assert_eq!(plain_content(&[1, 0, 0, 0, 2, 7, 8]), None, "compressed");
        assert_eq!(
            plain_content(&[0, 0, 0, 0, 3, 7, 8]),
            None,
            "more is to come"
        );
        assert_eq!(
            plain_content(&[0, 0, 0, 0, 1, 7, 8]),
            None,
            "a second message"
        );
        assert_eq!(plain_content(&[0, 0, 0, 0]), None, "no prefix");
    }

    #[test]
    fn a_length_is_known_with_the_fifth_byte() {
        assert_eq!(content_length([0, 0, 0, 1].into_iter()), None);
        assert_eq!(
            content_length([0, 0, 0, 1, 2, 9].into_iter()),
            Some(5 + 258)
        );
    }
}
