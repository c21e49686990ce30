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
    assert!(fault("hour <").line > 0);
    assert!(fault("").reason.contains("empty"));
    assert!(fault("hour").reason.contains("neither true nor false"));
    assert!(fault("hour < 'x'").reason.contains("compare"));
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
