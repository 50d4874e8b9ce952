//! Changes that are made only while what was read still stands so.

use serde_json::{Value, json};

use crate::hand::{ANN, admin, events_after, group, head, user};
use crate::on_both_stores;
use crate::support::Daemon;

/// A request as an administrator: the status, the tag of the answer, and the body.
async fn tagged(
    daemon: &Daemon,
    method: &str,
    path: &str,
    if_match: Option<&str>,
    body: Value,
) -> (u16, String, Value) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request =
        reqwest::Client::new().request(method, format!("{}/api/v1{path}", daemon.base)).bearer_auth("admin-key");
    if let Some(if_match) = if_match {
        request = request.header("if-match", if_match);
    }
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.expect("an answer");
    let tag = response.headers().get("etag").map(|tag| tag.to_str().expect("text").to_owned()).unwrap_or_default();
    (response.status().as_u16(), tag, response.json().await.expect("JSON"))
}

async fn delete(daemon: &Daemon, path: &str, if_match: Option<&str>) -> u16 {
    let request = reqwest::Client::new().delete(format!("{}/api/v1{path}", daemon.base)).bearer_auth("admin-key");
    let request = if_match.into_iter().fold(request, |request, tag| request.header("if-match", tag));
    request.send().await.expect("an answer").status().as_u16()
}

async fn only_the_first_of_two_passes(world: &crate::support::World, daemon: &Daemon, path: &str, changes: [Value; 2]) {
    let (status, read, _) = tagged(daemon, "GET", path, None, Value::Null).await;
    assert_eq!(status, 200);
    assert!(read.starts_with('"') && read.ends_with('"') && read.len() > 32, "a strong tag: {read}");
    assert_eq!(tagged(daemon, "GET", path, None, Value::Null).await.1, read, "the same is shown by the same tag");

    let before = head(world).await;
    let weak = format!("W/{read}");
    for stale in ["\"other\"", "\"a\", \"b\"", "\"\"", &weak] {
        let (status, _, problem) = tagged(daemon, "PATCH", path, Some(stale), changes[0].clone()).await;
        assert_eq!((status, &problem["status"]), (412, &json!(412)), "{stale}: {problem}");
    }
    for bad in ["x", "\"x", &read[1..], "*, \"a\""] {
        assert_eq!(tagged(daemon, "PATCH", path, Some(bad), changes[0].clone()).await.0, 400, "{bad}");
    }
    assert_eq!(head(world).await, before, "no event");

    let other = world.serve().await;
    let (one, two) = tokio::join!(
        tagged(daemon, "PATCH", path, Some(&read), changes[0].clone()),
        tagged(&other, "PATCH", path, Some(&read), changes[1].clone())
    );
    let mut statuses = [one.0, two.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412], "of two who have read the same, one passes, on two replicas too");
    assert_eq!(events_after(world, before).await.len(), 1);
    let now = if one.0 == 200 { one.1 } else { two.1 };
    assert_ne!(now, read);
    assert_eq!(
        tagged(daemon, "GET", path, None, Value::Null).await.1,
        now,
        "a change's answer has the tag of what is now"
    );
    let listed = format!("\"other\", {now}");
    let back = if one.0 == 200 { &changes[0] } else { &changes[1] };
    for fresh in [Some("*"), Some(listed.as_str()), None] {
        assert_eq!(tagged(daemon, "PATCH", path, fresh, changes[0].clone()).await.0, 200, "{fresh:?}");
        let (_, again, _) = tagged(daemon, "PATCH", path, None, back.clone()).await;
        assert_eq!(again, now, "the tag follows from what is shown");
    }
}

on_both_stores! {
    async fn a_group_that_changed_since_it_was_read_is_left_as_it_is(world: World) {
        // M12
        let mut world = world;
        let daemon = crate::hand::serve(&mut world).await;
        let path = group(&daemon, "Editors").await;
        let changes = [json!({"description": "one"}), json!({"description": "two"})];
        only_the_first_of_two_passes(&world, &daemon, &path, changes).await;
        let missing = "/admin/groups/0198a000-0000-7000-8000-000000000001";
        assert_eq!(tagged(&daemon, "PATCH", missing, Some("\"x\""), json!({"name": "x"})).await.0, 404);
        group(&daemon, "Writers").await;
        let (status, _, _) = tagged(&daemon, "PATCH", &path, Some("\"x\""), json!({"name": "Writers"})).await;
        assert_eq!(status, 412, "what is stale is not looked at further");
    }

    async fn a_group_that_changed_since_it_was_read_is_not_deleted(world: World) {
        // M12
        let mut world = world;
        let daemon = crate::hand::serve(&mut world).await;
        let path = group(&daemon, "Editors").await;
        let (_, read, _) = tagged(&daemon, "GET", &path, None, Value::Null).await;
        let (_, now, _) = tagged(&daemon, "PATCH", &path, Some(&read), json!({"description": "x"})).await;
        let before = head(&world).await;
        for (if_match, status) in [(read.as_str(), 412), (&format!("W/{now}"), 412), ("", 412), ("x", 400), (&now[1..], 400)] {
            assert_eq!(delete(&daemon, &path, Some(if_match)).await, status, "{if_match}");
        }
        assert_eq!(head(&world).await, before, "no event");
        let other = world.serve().await;
        let renamed = json!({"name": "Writers"});
        let (gone, (changed, _, _)) = tokio::join!(
            delete(&daemon, &path, Some(&now)),
            tagged(&other, "PATCH", &path, Some(&now), renamed)
        );
        assert!([(204, 404), (412, 200)].contains(&(gone, changed)), "of two, one passes: {gone} {changed}");
        for if_match in [None, Some("*")] {
            let path = group(&daemon, "Readers").await;
            assert_eq!(delete(&daemon, &path, if_match).await, 204);
            assert_eq!(delete(&daemon, &path, if_match).await, 404);
        }
    }

    async fn a_user_who_changed_since_they_were_read_is_left_as_they_are(world: World) {
        // M12
        let mut world = world;
        let daemon = crate::hand::serve(&mut world).await;
        let path = format!("/admin/users/{}", user(&daemon, ANN).await);
        let (_, read, shown) = tagged(&daemon, "GET", &path, None, Value::Null).await;
        assert_eq!((&shown["email"], &shown["status"]), (&json!(ANN), &json!("active")));
        let (status, out, _) = tagged(&daemon, "PATCH", &path, Some(&read), json!({"status": "deactivated"})).await;
        assert_eq!(status, 200);
        let before = head(&world).await;
        for status in ["active", "deactivated"] {
            assert_eq!(tagged(&daemon, "PATCH", &path, Some(&read), json!({ "status": status })).await.0, 412);
        }
        assert_eq!(head(&world).await, before, "no event");
        assert_eq!(tagged(&daemon, "PATCH", &path, Some(&out), json!({"status": "active"})).await.1, read);
        for missing in ["/admin/users/x", "/admin/users/0198a000-0000-7000-8000-000000000001"] {
            assert_eq!(admin(&daemon, "GET", missing, Value::Null).await.0, 404, "{missing}");
        }
    }
}
