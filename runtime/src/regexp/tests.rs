//! Patterns against what ECMAScript says of them.
#![allow(clippy::unwrap_used)]

use super::*;

/// The texts of the groups of the first match.
fn groups(pattern: &str, flags: &str, text: &str) -> Option<Vec<Option<String>>> {
    let program = compile(pattern, flags).unwrap();
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut budget = Budget {
        steps: 10_000_000,
        stopped: &|| false,
    };
    let places = Machine::new(&program)
        .find(&units, 0, &mut budget)
        .unwrap()?;
    Some(
        places
            .chunks(2)
            .map(|place| {
                (place[0] != machine::NOWHERE)
                    .then(|| String::from_utf16_lossy(&units[place[0] as usize..place[1] as usize]))
            })
            .collect(),
    )
}

fn first(pattern: &str, flags: &str, text: &str) -> Option<String> {
    groups(pattern, flags, text).map(|groups| groups[0].clone().unwrap())
}

#[test]
fn the_preferred_way_wins_as_in_backtracking() {
    let cases = [
        ("a|ab", "", "ab", "a"),
        ("a*?b", "", "aaab", "aaab"),
        ("a+?", "", "aaa", "a"),
        ("(a|ab)(c|bcd)", "", "abcd", "abcd"),
        ("x*", "", "aaa", ""),
        ("a{2,3}", "", "aaaa", "aaa"),
        ("a{2,3}?", "", "aaaa", "aa"),
        ("[^]", "", "\n", "\n"),
        (".+", "", "ab\ncd", "ab"),
        (".+", "s", "ab\ncd", "ab\ncd"),
        ("^b", "m", "a\nb", "b"),
        ("a$", "m", "a\nb", "a"),
        (r"\bfoo\b", "", "a foo b", "foo"),
        (r"\Boo", "", "foo", "oo"),
        ("STRASSE|ß", "i", "Strasse", "Strasse"),
        (r"[^\d]+", "", "12ab3", "ab"),
        ("[A-z]+", "i", "aZ_", "aZ_"),
        (r"\u{1F600}", "u", "a😀", "😀"),
        ("^.$", "u", "😀", "😀"),
        ("^..$", "", "😀", "😀"),
        (r"\p{Lu}\p{Ll}", "u", "aÉé", "Éé"),
        (r"\p{Script=Greek}+", "u", "abγδ", "γδ"),
    ];
    for (pattern, flags, text, expected) in cases {
        assert_eq!(
            first(pattern, flags, text).as_deref(),
            Some(expected),
            "/{pattern}/{flags}"
        );
    }
    assert_eq!(first("^$", "", "a"), None);
    assert_eq!(first("b", "y", "ab"), None);
    assert_eq!(first("ſ", "i", "s"), None);
    assert!(first("ſ", "iu", "s").is_some());
}

#[test]
fn groups_of_a_repetition_are_those_of_its_last_round() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        groups("(z)((a+)?(b+)?(c))*", "", "zaacbbbcac"),
        Some(vec![
            some("zaacbbbcac"),
            some("z"),
            some("ac"),
            some("a"),
            None,
            some("c")
        ])
    );
    assert_eq!(groups("(a*)*", "", "b"), Some(vec![some(""), None]));
    assert_eq!(groups("(?:(a)|b)*", "", "ab"), Some(vec![some("ab"), None]));
    assert_eq!(groups("(a){0}b", "", "ab"), Some(vec![some("b"), None]));
}

#[test]
fn what_needs_backtracking_is_refused_with_a_reason() {
    for (pattern, flags, reason) in [
        (r"(a)\1", "", "back-references"),
        (r"(?<n>a)\k<n>", "", "back-references"),
        ("(?=a)", "", "look-around"),
        ("(?<!a)b", "", "look-around"),
        ("(?i:a)", "", "modifiers"),
        ("a", "v", "the flag v"),
        ("(", "", "not valid"),
        ("((a{100}){100}){100}", "", "too large"),
        (r"(?<n>a)|(?<n>b)", "", "same name"),
    ] {
        let error = compile(pattern, flags).unwrap_err();
        assert!(error.contains(reason), "/{pattern}/{flags}: {error}");
    }
    let deep = format!("{}a{}", "(".repeat(200), ")".repeat(200));
    assert!(compile(&deep, "").unwrap_err().contains("deep"));
}

#[test]
fn steps_grow_with_the_text_and_never_explode() {
    let program = compile("(x+x+)+y", "").unwrap();
    let steps = |length: usize| {
        let text = vec![u16::from(b'x'); length];
        let mut budget = Budget {
            steps: u64::MAX,
            stopped: &|| false,
        };
        assert_eq!(Machine::new(&program).find(&text, 0, &mut budget), Ok(None));
        u64::MAX - budget.steps
    };
    assert!(
        steps(2_000) < 3 * steps(1_000),
        "{} {}",
        steps(1_000),
        steps(2_000)
    );
}
