//! The same faults in the middle of a read: page 2 of the groups, page 2 of one group's members, the token endpoint, the
//! accounts: their list, and one of them alone.
//!
//! Each time upstream has less than is stored, so that whoever believed the part that was read would remove something.

use entitled_simulator::{Fault, System, Target};
use serde_json::{Value, json};

use crate::faults::faults;
use crate::on_both_stores;
use crate::stage::{expect, google, groups_of, know_member, runs, tables};
use crate::support::{Ended, SIRET, World};

const ANN: &str = "ann@commune-a.fr";
const MANY: &str = "grp_acme_many@example.com";
const FEW: &str = "grp_acme_few@example.com";
const MEMBERS: usize = 450;
/// First and last in the list of accounts, which has two pages then.
const ABE: &str = "abe@example.org";
const ZOE: &str = "zoe@example.org";
const ACCOUNTS: [&str; 3] = ["directory_account", "directory_address", "user_account"];

/// Two pages of groups, of which the second holds all that count; three pages of members of one of them.
async fn stored(world: &mut World) {
    world.configure("timeout = \"2s\"", "timeout = \"20s\"\nbody_bytes_max = 400000");
    world.configure("prefix = \"grp_acme_\"", "prefix = \"grp_acme_\"\npage_cap = 4");
    know_member(world, ANN).await;
    let org = world.org();
    org.set_domains(ANN, SIRET, ["commune-a.fr"]).add_member(FEW, ANN).add_member(FEW, "bob@example.org");
    for number in 0..200 {
        org.add_group(&format!("a_{number:03}@example.com"));
    }
    for number in 0..MEMBERS {
        org.add_member(MANY, &format!("m{number:03}@example.org"));
    }
    expect(&world.sync(&[]).await, 0, "applied");
    world.org().remove_member(MANY, "m001@example.org").remove_member(FEW, "bob@example.org");
}

/// What goes wrong at this place: all that goes wrong anywhere, and what only a list can do.
fn faults_of_a_list() -> Vec<(Fault, &'static str)> {
    let kind = Fault::replace_key("kind", json!("admin#directory#group"));
    let mut faults = faults();
    faults.extend([
        (kind, "malformed"),
        (Fault::RepeatToken, "incomplete"),
        (Fault::Status { code: 200, body: Some("[]".to_owned()), retry_after: None }, "malformed"),
        (
            Fault::Status { code: 200, body: Some(r#"{"error": {"code": 500}}"#.to_owned()), retry_after: None },
            "malformed",
        ),
        (Fault::google_error(403, "userRateLimitExceeded"), "rate_limited"),
    ]);
    faults
}

/// Whether a fault means something where there is no list.
fn speaks_of_one(fault: &Fault) -> bool {
    !matches!(fault, Fault::RepeatToken | Fault::WrongType { .. })
}

/// Nothing of the directory was believed; the backend was read all the same.
async fn nothing_applied(world: &World, ended: &Ended, class: &str, what: &str) {
    assert_eq!(ended.code, 3, "{what}: {ended:?}");
    let entry = ended.source("google_sync");
    assert_eq!(
        (&entry["outcome"], &entry["error"]["class"]),
        (&json!("unavailable"), &json!(class)),
        "{what}: {entry}"
    );
    assert_eq!((&entry["created"], &entry["removed"]), (&json!([]), &json!([])), "{what}");
    all_is_kept(world, ended, what).await;
}

/// Everything but the one group was believed.
async fn the_rest_applied(world: &World, ended: &Ended, class: &str, what: &str) {
    assert_eq!(ended.code, 3, "{what}: {ended:?}");
    let entry = ended.source("google_sync");
    assert_eq!((&entry["outcome"], &entry["error"]["class"]), (&json!("applied"), &json!(class)), "{what}: {entry}");
    assert_eq!((&entry["counts"]["created"], &entry["counts"]["removed"]), (&json!(1), &json!(0)), "{what}: {entry}");
    let kept = entry["kept"].as_array().expect("kept");
    let of_many = |kept: &Value| kept["group"] == MANY && kept["reason"] == class;
    assert!(!kept.is_empty() && kept.iter().all(of_many), "{what}: {entry}");
    assert!(runs(world).await.contains(&format!("applied {class}")), "{what}");
    all_is_kept(world, ended, what).await;
}

async fn all_is_kept(world: &World, ended: &Ended, what: &str) {
    assert_eq!(ended.source("deploycenter")["outcome"], "unchanged", "{what}: the other source is read");
    assert_eq!(world.members(MANY, "google_sync").await.len(), MEMBERS, "{what}");
}

/// Two people with accounts, of whom the second is suspended. Then the first is suspended and the second comes back, and
/// each has another further address, so that whoever believed a part of the accounts would tell of a change.
async fn stored_with_accounts(world: &mut World) {
    for number in 0..60 {
        world.org().add_user(&format!("n{number:03}@example.org"));
    }
    world.org().add_member(FEW, ABE).add_alias(ABE, "a.be@example.org");
    world.org().add_member(FEW, ZOE).add_alias(ZOE, "z.oe@example.org").suspend_user(ZOE);
    stored(world).await;
    world.org().add_member(MANY, "m001@example.org").add_member(FEW, "bob@example.org");
    world.org().suspend_user(ABE).remove_alias(ABE, "a.be@example.org").add_alias(ABE, "abel@example.org");
    world.org().reactivate_user(ZOE).remove_alias(ZOE, "z.oe@example.org").add_alias(ZOE, "zora@example.org");
}

/// Groups were believed, accounts were not.
async fn the_groups_applied(world: &World, ended: &Ended, class: &str, what: &str) {
    assert_eq!(ended.code, 3, "{what}: {ended:?}");
    let entry = ended.source("google_sync");
    assert_eq!((&entry["outcome"], &entry["error"]["class"]), (&json!("applied"), &json!(class)), "{what}: {entry}");
    assert_eq!(entry["counts"], json!({"created": 1, "removed": 0, "kept": 0}), "{what}: {entry}");
    assert!(runs(world).await.contains(&format!("applied {class}")), "{what}");
    all_is_kept(world, ended, what).await;
}

async fn status(world: &World, user: &str) -> String {
    world.user(user).await["status"].as_str().expect("a status").to_owned()
}

/// Without the fault the next run tells of both accounts, and the one after it finds nothing to do.
async fn accounts_converge(world: &World) {
    world.org().clear_faults();
    expect(&google(world, &[]).await, 0, "applied");
    assert_eq!((status(world, ABE).await.as_str(), status(world, ZOE).await.as_str()), ("suspended", "active"));
    assert_eq!(world.user("abel@example.org").await["id"], world.user(ABE).await["id"]);
    assert_eq!(world.user("zora@example.org").await["id"], world.user(ZOE).await["id"]);
    assert_eq!(world.user("a.be@example.org").await["id"], world.user(ABE).await["id"], "nobody else has it");
    expect(&world.sync(&[]).await, 0, "unchanged");
}

/// Without the fault the next run removes what is gone, and the one after it finds nothing to do.
async fn converges(world: &World, removed: u64) {
    world.org().clear_faults();
    let healed = google(world, &[]).await;
    expect(&healed, 0, "applied");
    assert_eq!(healed.source("google_sync")["counts"], json!({"created": 0, "removed": removed, "kept": 0}));
    expect(&world.sync(&[]).await, 0, "unchanged");
}

on_both_stores! {
    async fn page_2_of_the_groups_fails(world: World) {
        // S5, G1
        let mut world = world;
        stored(&mut world).await;
        let place = Target::system(System::Google).path_contains("/groups?").page(2);
        let missing = ["id", "email"].map(|key| (Fault::omit_key(key), "malformed"));
        for (fault, class) in faults_of_a_list().into_iter().chain(missing) {
            world.org().fault(place.clone(), fault.clone());
            nothing_applied(&world, &world.sync(&[]).await, class, &format!("{fault:?}")).await;
            world.org().clear_faults();
        }
        converges(&world, 2).await;
    }

    async fn page_2_of_one_group_s_members_fails(world: World) {
        // S5, G1, G2
        let mut world = world;
        stored(&mut world).await;
        // Only the group that fails has lost somebody.
        world.org().add_member(FEW, "bob@example.org");
        let place = Target::system(System::Google).path_contains("/members").group(MANY).page(2);
        let empty = Fault::Status { code: 200, body: Some("{}".to_owned()), retry_after: None };
        let short = [
            (Fault::omit_key("type"), "malformed"),
            (Fault::omit_key("nextPageToken"), "incomplete"),
            (Fault::ShortList, "incomplete"),
            (Fault::omit_key("members"), "incomplete"),
            (empty, "incomplete"),
        ];
        for (number, (fault, class)) in faults_of_a_list().into_iter().chain(short).enumerate() {
            world.org().fault(place.clone(), fault.clone());
            let what = format!("{fault:?}");
            // A refused credential is refused for every group.
            if class == "unauthorized" {
                nothing_applied(&world, &world.sync(&[]).await, class, &what).await;
            } else {
                world.org().add_member(FEW, &format!("new{number}@example.org"));
                the_rest_applied(&world, &world.sync(&[]).await, class, &what).await;
            }
            world.org().clear_faults();
        }
        converges(&world, 1).await;
    }

    async fn a_page_of_the_accounts_fails(world: World) {
        // S5, G1, G5
        let mut world = world;
        stored_with_accounts(&mut world).await;
        let before = tables(&world, &ACCOUNTS).await;
        let missing = || ["id", "primaryEmail"].map(|key| (Fault::omit_key(key), "malformed"));
        for page in [1, 2] {
            let place = Target::system(System::Google).path_contains("/users?").page(page);
            // A first page that leads to itself is read once more, and the list goes on from there.
            let faults = faults_of_a_list().into_iter().filter(|(fault, _)| page > 1 || *fault != Fault::RepeatToken);
            for (number, (fault, class)) in faults.chain(missing()).enumerate() {
                world.org().fault(place.clone(), fault.clone());
                let what = format!("page {page}: {fault:?}");
                // A refused credential is refused for every group.
                if class == "unauthorized" {
                    nothing_applied(&world, &world.sync(&[]).await, class, &what).await;
                } else {
                    world.org().add_member(&format!("grp_acme_new{page}@example.com"), &format!("m{number:03}@example.org"));
                    the_groups_applied(&world, &world.sync(&[]).await, class, &what).await;
                }
                assert_eq!(tables(&world, &ACCOUNTS).await, before, "{what}");
                world.org().clear_faults();
            }
        }
        accounts_converge(&world).await;
    }

    async fn an_account_asked_for_alone_fails(world: World) {
        // S5, G4, G5
        let mut world = world;
        stored_with_accounts(&mut world).await;
        let before = tables(&world, &ACCOUNTS).await;
        let place = Target::system(System::Google).path_contains("/users/").user(ABE);
        let missing = ["id", "primaryEmail"].map(|key| (Fault::omit_key(key), "malformed"));
        let faults = faults_of_a_list().into_iter().filter(|(fault, _)| speaks_of_one(fault));
        let faults = faults.chain(missing).chain([(Fault::replace_key("suspended", json!("yes")), "malformed")]);
        for (number, (fault, class)) in faults.enumerate() {
            let new = format!("grp_acme_new{number}@example.com");
            world.org().add_member(&new, ABE).fault(place.clone(), fault.clone());
            let ended = google(&world, &["--user", ABE]).await;
            let entry = ended.source("google_sync");
            // What says that accounts can't be read stops no group; what may pass is worth another try.
            let (code, outcome) = if ["forbidden", "malformed"].contains(&class) { (0, "applied") } else { (3, "unavailable") };
            expect(&ended, code, outcome);
            assert!(code == 0 || entry["error"]["class"] == class, "{fault:?}: {entry}");
            assert_eq!(entry["removed"], json!([]), "{fault:?}: {entry}");
            assert_eq!(groups_of(&world, ABE, "google_sync").await.contains(&new), code == 0, "{fault:?}");
            assert_eq!(tables(&world, &ACCOUNTS).await, before, "{fault:?}");
            world.org().clear_faults();
        }
        expect(&google(&world, &["--user", ABE]).await, 0, "applied");
        assert_eq!((status(&world, ABE).await.as_str(), status(&world, ZOE).await.as_str()), ("suspended", "suspended"));
        accounts_converge(&world).await;
    }

    async fn the_token_endpoint_fails(world: World) {
        // S5, G8
        let mut world = world;
        stored(&mut world).await;
        let others = [
            (Fault::omit_key("access_token"), "malformed"),
            (Fault::omit_key("expires_in"), "malformed"),
            (Fault::replace_key("access_token", json!("two\nlines")), "malformed"),
            (Fault::Status { code: 200, body: Some("[]".to_owned()), retry_after: None }, "malformed"),
        ];
        for (fault, class) in faults().into_iter().chain(others) {
            world.org().fault(Target::system(System::Token), fault.clone());
            // It says 400 when it does not believe the assertion.
            let class = if fault == Fault::status(400) { "unauthorized" } else { class };
            nothing_applied(&world, &world.sync(&[]).await, class, &format!("{fault:?}")).await;
            world.org().clear_faults();
        }
        converges(&world, 2).await;
    }

    async fn an_answer_in_the_middle_that_never_comes_is_a_timeout(world: World) {
        // S5
        let mut world = world;
        stored(&mut world).await;
        world.environment.push(("ENTITLED_SOURCES__GOOGLE_SYNC__TIMEOUT".to_owned(), "500ms".to_owned()));
        let page_2 = Target::system(System::Google).path_contains("/groups?").page(2);
        for place in [page_2, Target::system(System::Token)] {
            world.org().fault(place.clone(), Fault::hold("late"));
            nothing_applied(&world, &world.sync(&[]).await, "timeout", &format!("{place:?}")).await;
            world.org().clear_faults();
        }
        world.environment.pop();
        converges(&world, 2).await;
    }

    async fn a_token_that_dies_in_the_middle_is_renewed_and_the_read_goes_on(world: World) {
        // G8
        let mut world = world;
        stored(&mut world).await;
        let issued = world.org().tokens_issued();
        world.org().fault(Target::system(System::Google).path_contains("/members").page(2).times(1), Fault::status(401));
        let ended = google(&world, &[]).await;
        expect(&ended, 0, "applied");
        assert_eq!(ended.source("google_sync")["counts"]["removed"], 2);
        assert_eq!(world.org().tokens_issued(), issued + 2);
        expect(&google(&world, &[]).await, 0, "unchanged");
    }
}
