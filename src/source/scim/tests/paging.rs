//! Lists are read to their end, or not at all.

use entitled_model::ErrorClass::Incomplete;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::source::scim::features::By;
use crate::source::scim::list::{Progressed, Then};
use crate::source::scim::wire::{Page, User};
use fake::{Edit, Fault};

const CURSORS: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

fn seven_users(bench: &Bench) {
    let mut state = bench.server.state();
    for number in 0..7 {
        let id = format!("u-1{number}");
        state.users.push(user(&id, &format!("user{number}@example.org")));
    }
    let all: Vec<String> = (0..7).map(|number| format!("u-1{number}")).collect();
    state.groups = vec![group("g-1", "Devs", &all.iter().map(String::as_str).collect::<Vec<_>>())];
}

fn cursors(bench: &Bench) {
    bench.server.state().provider_config = Some(json!({"schemas": [CURSORS], "pagination": {"cursor": true}}));
}

#[tokio::test]
async fn an_index_advances_by_what_was_returned_and_not_by_what_was_asked_for() {
    // G1
    let bench = bench("page_size = 5").await;
    seven_users(&bench);
    bench.server.state().page_max = 3;
    let census = bench.census().await.expect("whole");
    assert_eq!((census.people.len(), marked(&census).len()), (7, 0));
    let asked: Vec<String> = bench.server.asked("/Users?").into_iter().map(|asked| asked.target).collect();
    let page = |from| format!("/scim/v2/Users?startIndex={from}&count=5");
    assert_eq!(asked, [page(1), page(4), page(7)]);
}

#[tokio::test]
async fn a_server_that_offers_cursors_is_read_by_them_and_is_asked_once_whether_it_does() {
    // G1
    let bench = bench("page_size = 3").await;
    seven_users(&bench);
    cursors(&bench);
    for _ in 0..2 {
        assert_eq!(memberships(&bench.census().await.expect("whole"))["devs"].len(), 7);
    }
    assert_eq!(bench.server.asked("/ServiceProviderConfig").len(), 1);
    let asked: Vec<String> = bench.server.asked("/Users?").into_iter().map(|asked| asked.target).collect();
    let page = |cursor: &str| format!("/scim/v2/Users?cursor={cursor}&count=3");
    assert_eq!(asked[..3], [page(""), page("after-3"), page("after-6")]);
}

#[tokio::test]
async fn the_setting_decides_over_what_the_server_offers() {
    for (setting, by) in [("paging = \"index\"", "startIndex=1"), ("paging = \"cursor\"", "cursor=&")] {
        let bench = bench(setting).await;
        seven_users(&bench);
        bench.census().await.expect("whole");
        assert_eq!((bench.server.asked(by).len(), bench.server.asked("/ServiceProviderConfig").len()), (2, 0));
    }
}

#[tokio::test]
async fn an_empty_list_may_leave_its_resources_out() {
    // S6
    let bench = bench("").await;
    let census = bench.census().await.expect("whole");
    assert_eq!((census.people.len(), census.groups.len()), (0, 0));
    bench.server.fault("/Users?", Fault::Edit(|body| body["totalResults"] = json!(3)));
    assert_eq!(class(&bench.census().await), Some(Incomplete));
}

#[tokio::test]
async fn what_does_not_add_up_is_incomplete() {
    // S5, G1
    let by_index: [(&'static str, Edit); 7] = [
        ("/Users?", |body| body["totalResults"] = json!(9)),
        ("/Users?", |body| body["totalResults"] = json!(2)),
        ("startIndex=4", |body| body["totalResults"] = json!(8)),
        ("startIndex=4", |body| body["Resources"] = json!([])),
        ("startIndex=4", |body| drop(body.as_object_mut().expect("an object").remove("Resources"))),
        ("startIndex=4", |body| body["Resources"][0]["id"] = json!("u-10")),
        ("/Users?", |body| drop(body.as_object_mut().expect("an object").remove("totalResults"))),
    ];
    let by_cursor: [(&'static str, Edit); 6] = [
        ("/Users?", |body| body["totalResults"] = json!(9)),
        ("after-3", |body| body["nextCursor"] = json!("after-3")),
        ("after-3", |body| body["nextCursor"] = json!("")),
        ("after-3", |body| body["Resources"] = json!([])),
        ("after-6", |body| body["nextCursor"] = json!("after-3")),
        ("after-3", |body| body["nextCursor"] = json!(null)),
    ];
    let of =
        |cases: &[(&'static str, Edit)], offered| cases.iter().map(move |case| (*case, offered)).collect::<Vec<_>>();
    for ((target, edit), offered) in [of(&by_index, false), of(&by_cursor, true)].concat() {
        let bench = bench("page_size = 3").await;
        seven_users(&bench);
        if offered {
            cursors(&bench);
        }
        bench.server.fault(target, Fault::Edit(edit));
        assert_eq!(class(&bench.census().await), Some(Incomplete), "{target}, by cursor: {offered}");
        assert!(bench.server.asked("/Users?").len() <= 4, "it is noticed at once: {target}, by cursor: {offered}");
        bench.server.heal();
        assert_eq!(memberships(&bench.census().await.expect("whole"))["devs"].len(), 7);
    }
}

#[tokio::test]
async fn a_cursor_that_comes_twice_is_noticed_where_no_number_of_results_is_stated() {
    // G1
    let bench = bench("page_size = 3").await;
    seven_users(&bench);
    cursors(&bench);
    let unstated: Edit = |body| drop(body.as_object_mut().expect("an object").remove("totalResults"));
    bench.server.fault("/Users?", Fault::Edit(unstated));
    assert_eq!(memberships(&bench.census().await.expect("whole"))["devs"].len(), 7);
    bench.server.heal();
    bench.server.fault("after-6", Fault::Edit(|body| body["nextCursor"] = json!("after-3")));
    bench.server.fault("/Users?", Fault::Edit(unstated));
    let failure = bench.census().await.expect_err("goes round");
    assert_eq!((failure.class, failure.message.as_str()), (Incomplete, "a cursor came twice"));
}

#[tokio::test]
async fn a_list_of_more_pages_than_the_cap_is_incomplete_and_names_the_setting() {
    // G1
    let bench = bench("page_size = 3\npage_cap = 2").await;
    seven_users(&bench);
    let failure = bench.census().await.expect_err("too long");
    assert_eq!(failure.class, Incomplete);
    assert!(failure.message.contains("sources.directory.page_cap"), "{}", failure.message);
}

proptest! {
    #[test]
    fn a_list_ends_whole_or_fails_whatever_the_pages_say(
        pages in prop::collection::vec(
            (prop::option::of(0..6_u64), prop::option::of(prop::collection::vec(0..6_u8, 0..4)), prop::option::of("[ab]?")),
            0..8,
        ),
        by in prop::sample::select(vec![By::Index, By::Cursor]),
    ) {
        let mut list = Progressed::new(by);
        let mut read = BTreeSet::new();
        for (total, ids, next_cursor) in pages {
            let resources = ids.map(|ids| {
                ids.into_iter().map(|id| serde_json::from_value::<User>(user(&id.to_string(), "a@b")).expect("a user")).collect()
            });
            match list.take(Page { total, resources, next_cursor }) {
                Err(failure) => {
                    prop_assert_eq!(failure.class, Incomplete);
                    break;
                }
                Ok((fresh, then)) => {
                    for one in fresh {
                        prop_assert!(read.insert(one.id.clone()), "given once");
                    }
                    if then == Then::End {
                        prop_assert!(list.total().is_none_or(|total| total == read.len() as u64));
                        break;
                    }
                }
            }
        }
    }
}
