//! What is a condition, what it decides, and what it may cost.

use super::*;

fn facts() -> BTreeMap<String, Kind> {
    [
        ("country", Kind::Text),
        ("hour", Kind::Number),
        ("device_trusted", Kind::Flag),
        ("groups", Kind::Texts),
    ]
    .map(|(name, kind)| (name.to_owned(), kind))
    .into()
}

fn judge(source: &str, known: &[(&str, Fact)]) -> Verdict {
    let known = known
        .iter()
        .map(|(name, fact)| ((*name).to_owned(), fact.clone()))
        .collect();
    Condition::compile(source, &facts()).map_or_else(
        |fault| panic!("{source}: {fault} at {}:{}", fault.line, fault.column),
        |condition| condition.judge(&known),
    )
}

fn fault(source: &str) -> Fault {
    match Condition::compile(source, &facts()) {
        Ok(_) => panic!("{source} was taken"),
        Err(fault) => fault,
    }
}

#[test]
fn conditions_are_met_or_not() {
    let germany = ("country", Fact::Text("DE".into()));
    let staff = ("groups", Fact::Texts(vec!["staff".into(), "ops".into()]));
    for (source, met) in [
        ("country == 'DE'", true),
        ("country in ['FR', 'IT']", false),
        ("!(country in ['FR', 'IT'])", true),
        ("'staff' in groups && country != 'FR'", true),
        ("groups.exists(one, one.startsWith('op'))", true),
        ("groups.all(one, one == 'ops')", false),
        ("groups.exists_one(one, one == 'ops')", true),
        ("size(groups) > 1", true),
        ("country == 'FR' ? true : false", false),
    ] {
        let expected = if met { Verdict::Met } else { Verdict::NotMet };
        assert_eq!(
            judge(source, &[germany.clone(), staff.clone()]),
            expected,
            "{source}"
        );
    }
}

#[test]
fn what_depends_on_an_unknown_is_not_met() {
    let unknown = Verdict::Unknown(vec!["country".into()]);
    let night = ("hour", Fact::Number(3));
    for source in [
        "country == 'DE'",
        "country != 'DE'",
        "!(country == 'DE')",
        "hour < 6 && country == 'DE'",
    ] {
        assert_eq!(
            judge(source, std::slice::from_ref(&night)),
            unknown,
            "{source}"
        );
    }
    // What is decided without it is decided.
    assert_eq!(
        judge("hour < 6 || country == 'DE'", std::slice::from_ref(&night)),
        Verdict::Met
    );
    assert_eq!(
        judge("country == 'DE' || hour < 6", std::slice::from_ref(&night)),
        Verdict::Met
    );
    assert_eq!(
        judge("hour > 6 && country == 'DE'", &[night]),
        Verdict::NotMet
    );
}

#[test]
fn a_fault_says_where_it_is() {
    for (source, word, line, column) in [
        ("county == 'DE'", "county", 1, 1),
        ("hour < 6 &&\n  matches(country, 'x')", "matches", 2, 10),
        ("hour < 6 && country.lower() == 'de'", "lower", 1, 26),
    ] {
        let found = fault(source);
        assert_eq!(
            (found.word.as_str(), found.line, found.column),
            (word, line, column),
            "{source}"
        );
    }
    assert!(fault("").reason.contains("empty"));
    assert!(fault("hour").reason.contains("neither true nor false"));
    assert!(fault("hour < 'x'").reason.contains("compare"));
}

#[test]
fn what_cannot_be_read_is_said_in_plain_words() {
    for (source, word, line, column, hint) in [
        ("hour <", "", 1, 7, "a fact or a value is missing"),
        ("hour < 6 &&", "", 1, 12, "a fact or a value is missing"),
        ("(hour < 6", "", 1, 10, "close the bracket with )"),
        ("hour < 6)", ")", 1, 9, "one too many"),
        ("country = 'DE'", "=", 1, 9, "write =="),
        ("hour == 6 & device_trusted", "&", 1, 11, "write &&"),
        ("hour <> 6", ">", 1, 7, "write !="),
        ("hour < 6\n  and device_trusted", "and", 2, 3, "write &&"),
        ("hour < 6 OR device_trusted", "OR", 1, 10, "write ||"),
        ("not device_trusted", "device_trusted", 1, 5, "write !"),
        (
            "groups contains 'staff'",
            "contains",
            1,
            8,
            "fact.contains('…')",
        ),
        ("country in ('DE', 'FR')", ",", 1, 17, "write a list"),
        ("country == 'DE", "'DE", 1, 12, "close it with '"),
        ("country == ‘DE’", "‘", 1, 12, "put texts in ' or \""),
        ("country == 'O'Neil'", "Neil", 1, 15, "other kind of quotes"),
        ("hour < 6 || )", ")", 1, 13, "value is missing"),
        ("country in ['DE' 'FR']", "'FR'", 1, 18, "quotes"),
        ("hour < 6 ? true", "hour", 1, 1, "condition ? value : value"),
        ("country == 'ÄÖÜ' and hour < 6", "and", 1, 18, "write &&"),
    ] {
        let found = fault(source);
        assert_eq!(
            (found.word.as_str(), found.line, found.column),
            (word, line, column),
            "{source}"
        );
        assert!(found.hint.contains(hint), "{source}: {}", found.hint);
    }
    let sum = fault("country == 'ÄÖÜ' && hour + 1 < 6");
    assert_eq!((sum.word.as_str(), sum.column), ("+", 26));
    assert!(sum.hint.contains("no arithmetic"));
}

#[test]
fn what_can_mean_nothing_is_refused() {
    for (source, column, kinds) in [
        ("hour == '6'", 6, "a number with a text"),
        ("'6' != hour", 5, "a text with a number"),
        ("country == 49", 9, "a text with a number"),
        ("hour == true", 6, "a number with yes or no"),
        ("device_trusted == 'yes'", 16, "yes or no with a text"),
        ("groups == 'staff'", 8, "several texts with a text"),
        ("hour in [1, '2']", 6, "a number with a text"),
        ("5 in groups", 3, "a number with a text"),
        ("size(groups) == '2'", 14, "a number with a text"),
        ("groups.exists(one, one == 5)", 24, "a text with a number"),
        (
            "hour < 6 || (device_trusted ? country : 'DE') == 1",
            47,
            "a text with a number",
        ),
        (
            "country == 'DE' && hour < '2'",
            25,
            "a number with a text, which have no order",
        ),
        (
            "country != 'DE' || groups > 2",
            27,
            "several texts with a number, which have no order",
        ),
        (
            "country == 'DE' ? 'x' : true == true",
            17,
            "chooses between a text and yes or no",
        ),
        ("hour < 6 && country", 10, "needs yes or no, not a text"),
        (
            "hour < 6 && !groups",
            13,
            "needs yes or no, not several texts",
        ),
        ("hour < 6 || size(hour) > 1", 17, "not a number"),
        (
            "hour < 6 || country.startsWith(5)",
            31,
            "needs a text, not a number",
        ),
        ("hour < 6 || groups.exists(a, a)", 26, "needs yes or no"),
    ] {
        let found = fault(source);
        assert!(found.reason.contains(kinds), "{source}: {}", found.reason);
        assert_eq!((found.line, found.column), (1, column), "{source}");
        assert!(found.hint.contains("quotes"), "{source}");
    }
    for source in [
        "device_trusted == true",
        "device_trusted == (hour < 6)",
        "(country == 'DE') != device_trusted",
        "hour in [1, 2, -3]",
        "groups == ['staff']",
        "groups.exists_one(one, one in ['a', 'b']) == true",
        "hour == (device_trusted ? 1 : 2)",
    ] {
        let _ = judge(source, &[]);
    }
}

#[test]
fn whatever_cannot_be_read_is_told_without_the_words_of_a_parser() {
    let pieces = [
        "hour", "<", "6", "'", "\"", "(", ")", "[", "]", "&", "&&", "=", "?", ":", "ß", "\n", ".",
        ",", "!", "and", "#", "\\",
    ];
    let mut seed = 7_usize;
    for _ in 0..3000 {
        let mut source = String::new();
        for _ in 0..6 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            source.push_str(pieces[(seed >> 33) % pieces.len()]);
            source.push(' ');
        }
        if let Err(found) = Condition::compile(&source, &facts()) {
            let said = format!("{} {}", found.reason, found.hint);
            for word in [
                "Syntax",
                "expecting",
                "EOF",
                "IDENTIFIER",
                "mismatched",
                "_",
            ] {
                assert!(!said.contains(word), "{source}: {said}");
            }
            assert!(found.line <= source.matches('\n').count() + 1, "{source}");
        }
    }
}

#[test]
fn long_conditions_take_no_stack() {
    for source in [
        format!("{}true", "!".repeat(900)),
        format!("{}1 < 2", "-".repeat(900)),
        format!("country{}", ".size()".repeat(130)),
        vec!["device_trusted"; 60].join(" && "),
        vec!["device_trusted"; 60].join(" == "),
        format!("{}true{}", "(".repeat(12), ")".repeat(12)),
        format!("country in [{}]", vec!["'a'"; 240].join(",")),
        format!("{}true", "a.".repeat(480)),
        format!("{}true", "a||".repeat(320)),
    ] {
        drop(Condition::compile(&source, &facts()));
    }
}

#[test]
fn nothing_costs_more_than_its_bound() {
    let wide = vec!["hour == 1"; 80].join(" || ");
    for source in [
        "groups.exists(a, groups.exists(b, a == b))",
        "groups.map(a, a) == groups",
        "groups.filter(a, a == 'x') == groups",
        "['a', 'b'].exists(a, a == country)",
        "country + country == 'x'",
        "hour * 2 == 4",
        "{'a': 1} == {'a': 1}",
        "country.size == 1",
        "1.5 < 2.0",
        &wide,
        &"(".repeat(200),
        &"[".repeat(900),
        &format!("{}true{}", "(".repeat(13), ")".repeat(13)),
        &format!("{}true", "true ? true : ".repeat(13)),
        &format!("country == '{}'", "x".repeat(1000)),
    ] {
        fault(source);
    }
}
