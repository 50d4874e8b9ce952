//! A login and a full read never take turns: on any directory, against any server, they say the same or the login fails.

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::json;

use super::*;
use crate::source::testing::paths_in;
use fake::Filters;

const PEOPLE: usize = 4;
const GROUPS: usize = 4;

#[derive(Debug, Clone)]
struct Directory {
    /// Whose address each account has.
    addresses: Vec<usize>,
    /// Each group's name, and its members: an id, and what it says it is.
    groups: Vec<(usize, Vec<(usize, usize)>)>,
    filters: Filters,
    members_told: bool,
    nested: &'static str,
    prefix: &'static str,
}

fn directory() -> impl Strategy<Value = Directory> {
    let filters = prop::sample::select(vec![
        Filters::Work,
        Filters::Work,
        Filters::Ignored,
        Filters::Exact,
        Filters::Blind,
        Filters::Refused(400, "invalidFilter"),
    ]);
    // The last of these ids leads nowhere.
    let member = (prop_oneof![9 => 0..PEOPLE + GROUPS, 1 => Just(PEOPLE + GROUPS)], 0..3_usize);
    let group = (prop_oneof![4 => 0..GROUPS, 1 => Just(0)], prop::collection::vec(member, 0..4));
    let addresses = prop_oneof![
        3 => Just((0..PEOPLE).collect::<Vec<_>>()),
        1 => prop::collection::vec(0..PEOPLE, PEOPLE),
    ];
    let nested = prop::sample::select(vec!["expand", "direct"]);
    let prefix = prop::sample::select(vec!["", "prefix = \"team-\""]);
    (addresses, prop::collection::vec(group, 0..GROUPS), filters, any::<bool>(), nested, prefix).prop_map(
        |(addresses, groups, filters, members_told, nested, prefix)| Directory {
            addresses,
            groups,
            filters,
            members_told,
            nested,
            prefix,
        },
    )
}

fn address(number: usize) -> String {
    format!("someone{number}@example.org")
}

fn member((number, said): (usize, usize)) -> Value {
    let (id, kind) = if number < PEOPLE { (format!("u-1{number}"), "User") } else { (format!("g-1{number}"), "Group") };
    match said {
        0 => json!({"value": id}),
        1 => json!({"value": id, "type": kind}),
        _ => json!({"value": id, "$ref": format!("../{kind}s/{id}")}),
    }
}

async fn filled(directory: &Directory) -> Bench {
    let bench = bench(&format!("page_size = 2\nnested = \"{}\"\n{}", directory.nested, directory.prefix)).await;
    bench.server.set(|state| {
        let accounts = directory.addresses.iter().enumerate();
        state.users = accounts.map(|(number, whose)| user(&format!("u-1{number}"), &address(*whose))).collect();
        let groups = directory.groups.iter().enumerate().map(|(number, (name, members))| {
            let prefix = if name % 2 == 0 { "Team-" } else { "Other-" };
            let members: Vec<Value> = members.iter().copied().map(member).collect();
            json!({"id": format!("g-1{}", PEOPLE + number), "displayName": format!("{prefix}{name}"), "members": members})
        });
        state.groups = groups.collect();
        state.filters = directory.filters;
        state.members_told = directory.members_told;
    });
    bench
}

async fn agree(directory: &Directory) -> Result<(), TestCaseError> {
    let bench = filled(directory).await;
    let census = bench.census().await.expect("read to its end");
    let one_each = directory.addresses.iter().collect::<BTreeSet<_>>().len() == PEOPLE;
    for number in 0..PEOPLE {
        let address = address(number);
        let whole = memberships(&census).into_iter().filter(|(_, of)| of.contains(&address)).map(|(name, _)| name);
        match bench.ask(&address).await {
            Ok(answer) => {
                let alone: Vec<&str> = answer.groups.iter().map(|group| group.name()).collect();
                prop_assert_eq!(alone, whole.collect::<Vec<_>>());
                prop_assert_eq!(&answer.paths, &paths_in(&census, &address));
                prop_assert_eq!(answer.present, directory.addresses.contains(&number));
            }
            Err(failure) => prop_assert!(!one_each || !marked(&census).is_empty(), "{}", failure),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 32, ..Config::default() })]

    #[test]
    fn a_login_and_a_full_read_say_the_same_or_the_login_fails(directory in directory()) {
        // G4, E5
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(agree(&directory))?;
    }
}

#[tokio::test]
async fn of_two_ways_as_short_a_login_and_a_full_read_name_the_same() {
    // E5
    for filters in [Filters::Work, Filters::Ignored] {
        let directory = Directory {
            addresses: (0..PEOPLE).collect(),
            // The first holds both of the others, the later name first.
            groups: vec![(0, vec![(PEOPLE + 1, 1), (PEOPLE + 2, 1)]), (3, vec![(0, 1)]), (1, vec![(0, 1)])],
            filters,
            members_told: true,
            nested: "expand",
            prefix: "",
        };
        agree(&directory).await.expect("they agree");
        let answer = filled(&directory).await.ask(&address(0)).await.expect("answered");
        let paths: Vec<_> = answer.paths.iter().map(|(group, chain)| (group.name(), chain.join(" > "))).collect();
        assert_eq!(paths, [("team-0", "other-1".to_owned())]);
    }
}
