//! Pictures inside of a page.

/// A PNG file as the address of an image.
pub fn data_uri(png: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut uri = String::with_capacity(png.len() * 4 / 3 + 32);
    uri.push_str("data:image/png;base64,");
    for group in png.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            if place <= group.len() {
                uri.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]));
            } else {
                uri.push('=');
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_follows_the_examples_of_rfc_4648() {
        let encoded = |text: &[u8]| data_uri(text).replace("data:image/png;base64,", "");
        let texts: [&[u8]; 5] = [b"", b"f", b"fo", b"foo", b"foobar"];
        assert_eq!(texts.map(encoded), ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYmFy"]);
    }
}
