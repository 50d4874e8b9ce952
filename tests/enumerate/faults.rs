//! A management API that fails, in every way and on any page: everybody is asked about, and nobody loses anything.

use entitled_simulator::{Fault, System, Target};

use crate::stage::{deploycenter, expect, tables};
use crate::support::World;
use crate::{crowd, enumerating, on_both_stores, requests};

fn faults() -> Vec<(Fault, &'static str)> {
    vec![
        (Fault::Reset, "connect"),
        (Fault::Close, "connect"),
        (Fault::InvalidJson, "malformed"),
        (Fault::Html, "malformed"),
        (Fault::redirect(), "malformed"),
        (Fault::wrong_type(), "malformed"),
        (Fault::omit_key("id"), "malformed"),
        (Fault::null_key("results"), "malformed"),
        (Fault::omit_key("count"), "malformed"),
        (Fault::Oversize { bytes: 200_000 }, "malformed"),
        (Fault::Truncate, "incomplete"),
        (Fault::ShortList, "incomplete"),
        (Fault::RepeatToken, "incomplete"),
        (Fault::EndlessPages, "malformed"),
        (Fault::replace_key("count", 99.into()), "incomplete"),
        (Fault::too_many_requests(1), "rate_limited"),
        (Fault::status(401), "unauthorized"),
        (Fault::status(403), "forbidden"),
        (Fault::status(404), "malformed"),
        (Fault::status(503), "http_5xx"),
    ]
}

/// Syncs while the lists go wrong in one way after the other.
async fn nobody_loses_anything(world: &World, target: impl Fn() -> Target) {
    let before = tables(world, &["event", "membership", "entitlement"]).await;
    for (fault, class) in faults() {
        world.org().fault(target(), fault.clone());
        let ended = deploycenter(world, &[]).await;
        expect(&ended, 0, "unchanged");
        assert_eq!(requests(world).1, 5, "{fault:?}: everybody is asked about");
        let told = ended.stderr.lines().find(|line| line.contains("lists could not be read"));
        let told = told.unwrap_or_else(|| panic!("{fault:?}: not told: {ended:?}"));
        assert!(told.contains(class), "{fault:?}: {told}");
        world.org().clear_faults();
    }
    assert_eq!(tables(world, &["event", "membership", "entitlement"]).await, before);
    expect(&deploycenter(world, &[]).await, 0, "unchanged");
    assert_eq!(requests(world).1, 0, "the lists are read again");
}

async fn of_five(mut world: World) -> World {
    enumerating(&mut world, 0);
    world.configure("timeout = \"2s\"", "timeout = \"2s\"\nbody_bytes_max = 100000");
    for number in 0..5 {
        world.org().set_roles(&crate::member(number), crate::support::SIRET, &[]);
    }
    crowd(&world, 5).await;
    world
}

on_both_stores! {
    async fn a_list_of_organisations_that_fails_is_done_without(world: World) {
        // S5
        let world = of_five(world).await;
        let lists = || Target::system(System::Deploycenter).path_contains("/organizations/?");
        nobody_loses_anything(&world, lists).await;
    }

    async fn a_second_page_of_accounts_that_fails_is_done_without(world: World) {
        // S5
        let world = of_five(world).await;
        world.org().set_page_rows(3);
        let lists = || Target::system(System::Deploycenter).path_contains("/accounts/").page(2);
        nobody_loses_anything(&world, lists).await;
    }
}
