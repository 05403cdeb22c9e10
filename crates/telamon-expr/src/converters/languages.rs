//! The language that a client likes best (RFC 9110, 12.5.4).

use super::{by, on_text, Row};

pub(super) const ROWS: &[Row] = &[by("language", |args, _| {
    let known: Vec<Vec<u8>> = args
        .needed(0, "the languages")?
        .split(|byte| *byte == b';')
        .filter(|language| !language.is_empty())
        .map(<[u8]>::to_vec)
        .collect();
    // One that is empty is as good as none.
    let default = args.text(1).filter(|text| !text.is_empty());
    on_text(move |text| {
        best(text, &known)
            .map(<[u8]>::to_vec)
            .or_else(|| default.clone())
    })
})];

/// Of those with the highest weight the first; a variant (`en-GB`) stands for its base too.
fn best<'k>(text: &[u8], known: &'k [Vec<u8>]) -> Option<&'k [u8]> {
    let (mut found, mut highest) = (None, 0);
    for item in text.split(|byte| *byte == b',') {
        let mut parts = item.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let weight = parts
            .find_map(|part| part.strip_prefix(b"q="))
            .map_or(1000, thousandths);
        let named = |name: &[u8]| known.iter().find(|one| one[..] == *name);
        let base = || name.split(|byte| *byte == b'-').next().and_then(named);
        if let Some(language) = named(name).or_else(base).filter(|_| weight > highest) {
            (found, highest) = (Some(&language[..]), weight);
        }
    }
    found
}

/// A weight (RFC 9110, 12.4.2) times 1000.
fn thousandths(text: &[u8]) -> u32 {
    let mut digits = text.iter().filter(|byte| byte.is_ascii_digit());
    let digit = |byte: Option<&u8>| byte.map_or(0, |byte| u32::from(byte - b'0'));
    let places = [1000, 100, 10, 1];
    let sum = places.map(|place| digit(digits.next()) * place);
    sum.iter().sum::<u32>().min(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_weight_and_the_first_of_several() {
        let known = ["de", "en", "fr", "pt-BR"].map(|one| one.as_bytes().to_vec());
        let best = |text: &str| best(text.as_bytes(), &known).map(String::from_utf8_lossy);
        assert_eq!(best("de;q=0.5, en-GB;q=0.9, fr;q=0").unwrap(), "en");
        assert_eq!(best("fr;q=0.8,de;q=0.8").unwrap(), "fr");
        assert_eq!(best("pt-BR,de").unwrap(), "pt-BR");
        assert_eq!(best("fr;q=0"), None);
        assert_eq!(best("es, *"), None);
    }
}
