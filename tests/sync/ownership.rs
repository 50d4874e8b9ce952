//! A writer changes only rows of its own source.

use crate::on_both_stores;
use serde_json::json;

on_both_stores! {
    async fn a_sync_replaces_only_its_own_rows(world: World) {
        // S2
        world.org().add_member("grp_acme_a@example.com", "ann@example.org").add_member("grp_acme_b@example.com", "ann@example.org");
        let first = world.sync(&["--source", "google_sync"]).await;
        assert_eq!((first.code, &first.json()["outcome"]), (0, &json!("applied")), "{first:?}");
        let before = world.user("ann@example.org").await["memberships"].clone();
        world.org().remove_member("grp_acme_b@example.com", "ann@example.org");
        let second = world.sync(&["--source", "google_sync"]).await;
        assert_eq!(second.source("google_sync")["counts"], json!({"created": 0, "removed": 1, "kept": 0}));
        let after = world.user("ann@example.org").await["memberships"].clone();
        assert_eq!(after, json!([before[0]]), "the row that stays keeps its added_at");
        let third = world.sync(&["--source", "google_sync"]).await;
        assert_eq!(third.json()["outcome"], "unchanged");
    }
}
