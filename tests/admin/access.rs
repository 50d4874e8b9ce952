//! Who has access: all that a user has, and what each type's resources are open to.

use entitled_model::resource::RESOURCE_TYPES;
use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, ask, check, grant, group, group_of, id_of, path_of, serve, user};
use crate::on_both_stores;
use crate::support::{Daemon, SIRET};
use crate::tokens::token;

const GOOGLE_GROUP: &str = "grp_acme_a@example.com";

async fn effective(daemon: &Daemon, user: &str, query: &str) -> Value {
    let path = format!("/admin/users/{user}/effective-access{query}");
    let (status, found) = ask(daemon, "GET", &path, Some("read-key"), None).await;
    assert_eq!(status, 200, "{found}");
    found
}

/// `[type, id, permission, group, by, sources]` of each path.
fn told(found: &Value) -> Vec<Value> {
    let mut told = Vec::new();
    for resource in found["resources"].as_array().expect("resources") {
        for access in resource["access"].as_array().expect("access") {
            for path in access["paths"].as_array().expect("paths") {
                told.push(json!([
                    resource["resource_type"],
                    resource["resource_id"],
                    access["permission"],
                    path["group"],
                    path["by"],
                    path["sources"]
                ]));
            }
        }
    }
    told
}

on_both_stores! {
    async fn all_that_a_user_has_is_listed_with_every_group_and_source_also_for_administrators(world: World) {
        // M10
        let mut world = world;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]).add_member(GOOGLE_GROUP, ANN);
        let daemon = serve(&mut world).await;
        let (status, login) = daemon.login(&json!({"email": ANN, "claims": {"siret": SIRET}})).await;
        assert_eq!(status, 200, "{login}");
        let ann = login["user"]["id"].as_str().expect("an id").to_owned();
        let editors = group_of(&daemon, "Editors", &ann).await;
        let google = path_of(&daemon, GOOGLE_GROUP).await;
        // In the directory's group by hand, too: not possible. In Editors by the administrator, and in Admin.
        for (group, permission, domain) in
            [(&editors, "admin", "commune-a.fr"), (&google, "admin", "commune-a.fr"), (&google, "read", "ville-a.fr")]
        {
            grant(&daemon, group, permission, domain).await;
        }
        let everything = json!([
            ["maildomain", "commune-a.fr", "admin", "Editors", "grant", ["admin"]],
            ["maildomain", "commune-a.fr", "admin", GOOGLE_GROUP, "grant", ["google_sync"]],
            ["maildomain", "commune-a.fr", "admin", "maildomain:commune-a.fr:admin", "facet", ["deploycenter"]],
            ["maildomain", "ville-a.fr", "read", GOOGLE_GROUP, "grant", ["google_sync"]],
        ]);
        let by_content = |rows: &Value| {
            let mut rows: Vec<String> = rows.as_array().expect("rows").iter().map(Value::to_string).collect();
            rows.sort();
            rows
        };
        let found = effective(&daemon, &ann, "").await;
        assert_eq!(by_content(&json!(told(&found))), by_content(&everything));
        assert_eq!((&found["status"], &found["next"]), (&json!("active"), &Value::Null));
        assert_eq!(found["position"], world.count("SELECT position FROM event_head").await);
        // An administrator has what an administrator's groups have, and it is told by the same words.
        let members = format!("{}/members", path_of(&daemon, "Admin").await);
        assert_eq!(admin(&daemon, "POST", &members, json!({"user_id": ann})).await.0, 201);
        assert_eq!(by_content(&json!(told(&effective(&daemon, &ann, "").await))), by_content(&everything));
        assert_eq!(check(&daemon, ANN, "owner", "commune-a.fr").await["allowed"], false);
        grant(&daemon, &path_of(&daemon, "Admin").await, "owner", "commune-a.fr").await;
        assert_eq!(check(&daemon, ANN, "owner", "commune-a.fr").await["paths"][0]["group"], "Admin");
        let path = format!("/admin/users/{ann}/memberships");
        let (_, page) = admin(&daemon, "GET", &path, Value::Null).await;
        let rows = page["memberships"].as_array().expect("memberships").iter();
        let mut groups: Vec<String> = rows.map(|row| format!("{} by {}", row["group"], row["source"]).replace('"', "")).collect();
        groups.sort();
        groups.retain(|group| !group.starts_with("Everyone "));
        let expected = [
            "Admin by admin",
            "Editors by admin",
            "grp_acme_a@example.com by google_sync",
            "maildomain:commune-a.fr:admin by deploycenter",
        ];
        assert_eq!(groups, expected);
    }

    async fn what_somebody_has_and_is_in_is_listed_page_by_page(world: World) {
        // M10
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let (one, two) = (group_of(&daemon, "One", &ann).await, group_of(&daemon, "Two", &ann).await);
        for domain in ["e.fr", "d.fr", "c.fr", "b.fr", "a.fr"] {
            grant(&daemon, &one, "admin", domain).await;
            grant(&daemon, &two, "admin", domain).await;
        }
        let (mut domains, mut after) = (Vec::new(), String::new());
        loop {
            let page = effective(&daemon, &ann, &format!("?limit=2{after}")).await;
            for resource in page["resources"].as_array().expect("resources") {
                assert_eq!(resource["access"][0]["paths"].as_array().map(Vec::len), Some(2), "a page counts resources");
                domains.push(resource["resource_id"].as_str().expect("an id").to_owned());
            }
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(domains, ["a.fr", "b.fr", "c.fr", "d.fr", "e.fr"]);
        let (mut groups, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/admin/users/{ann}/memberships?limit=1{after}");
            let (status, page) = ask(&daemon, "GET", &path, Some("read-key"), None).await;
            assert_eq!(status, 200, "{page}");
            groups.extend(page["memberships"].as_array().expect("rows").iter().map(|row| row["group"].clone()));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        groups.retain(|group| group != "Everyone");
        assert_eq!(groups, ["One", "Two"]);
        for missing in ["0198a000-0000-7000-8000-000000000001", "ann@example.org"] {
            for what in ["effective-access", "memberships"] {
                assert_eq!(admin(&daemon, "GET", &format!("/admin/users/{missing}/{what}"), Value::Null).await.0, 404);
            }
        }
    }

    async fn whoever_is_not_active_has_nothing_and_keeps_their_rows(world: World) {
        // G5
        let mut world = world;
        world.org().add_member(GOOGLE_GROUP, ANN).add_member(GOOGLE_GROUP, BOB);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        let daemon = serve(&mut world).await;
        let ann = world.user(ANN).await["id"].as_str().expect("an id").to_owned();
        grant(&daemon, &path_of(&daemon, GOOGLE_GROUP).await, "admin", "a.fr").await;
        assert_eq!(told(&effective(&daemon, &ann, "").await).len(), 1);
        world.org().suspend_user(ANN);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        let found = effective(&daemon, &ann, "").await;
        assert_eq!((&found["status"], &found["resources"]), (&json!("suspended"), &json!([])));
        let (_, page) = admin(&daemon, "GET", &format!("/admin/users/{ann}/memberships"), Value::Null).await;
        assert!(page["memberships"].as_array().is_some_and(|rows| rows.iter().any(|row| row["group"] == GOOGLE_GROUP)), "{page}");
        let denied = check(&daemon, ANN, "admin", "a.fr").await;
        assert_eq!((&denied["allowed"], &denied["reason"], &denied["paths"]), (&json!(false), &json!("suspended"), &json!([])));
        world.org().reactivate_user(ANN);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        assert_eq!(check(&daemon, ANN, "admin", "a.fr").await["allowed"], true);
        // Nothing deactivates yet; the store knows the word.
        world.database.execute("UPDATE user_account SET status = 'deactivated'").await;
        assert_eq!(effective(&daemon, &ann, "").await["resources"], json!([]));
        assert_eq!(check(&daemon, ANN, "admin", "a.fr").await["reason"], "deactivated");
        world.database.execute("UPDATE user_account SET status = 'active'").await;
    }

    async fn a_person_is_told_all_that_they_have_and_a_program_that_it_is_none(world: World) {
        // M10, T8
        let mut world = world;
        world.org().add_member(GOOGLE_GROUP, ANN);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        let daemon = serve(&mut world).await;
        let (ann, bob) = (user(&daemon, ANN).await, user(&daemon, BOB).await);
        let editors = group_of(&daemon, "Editors", &ann).await;
        for (group, domain) in [(&editors, "a.fr"), (&path_of(&daemon, GOOGLE_GROUP).await, "b.fr"), (&editors, "c.fr")] {
            grant(&daemon, group, "admin", domain).await;
        }
        let (_, hers) = token(&daemon, json!({"owner": ann})).await;
        let (_, his) = token(&daemon, json!({"owner": bob})).await;
        let own = async |secret: &str, query: &str| {
            ask(&daemon, "GET", &format!("/me/effective-access{query}"), Some(secret), None).await
        };
        // Nobody gave her a role: what is her own needs none.
        assert_eq!(ask(&daemon, "GET", &format!("/admin/users/{ann}/effective-access"), Some(&hers), None).await.0, 403);
        let (status, found) = own(&hers, "").await;
        assert_eq!((status, &found), (200, &effective(&daemon, &ann, "").await));
        assert_eq!((told(&found).len(), &found["user_id"]), (3, &json!(ann)));
        let (_, nothing) = own(&his, "").await;
        assert_eq!((&nothing["user_id"], &nothing["status"], &nothing["resources"]), (&json!(bob), &json!("active"), &json!([])));
        let (_, page) = own(&hers, "?limit=2").await;
        assert_eq!((told(&page).len(), &page["next"]), (2, &json!("maildomain:b.fr")));
        let (_, rest) = own(&hers, "?limit=2&after=maildomain:b.fr").await;
        assert_eq!((told(&rest), &rest["next"]), (told(&found)[2..].to_vec(), &Value::Null));
        for query in ["?limit=0", "?limit=1001", "?limit=x", "?after=%00", "?min_position=-1", "?wait_ms=10001", "?limit=1&limit=2"] {
            assert_eq!(own(&hers, query).await.0, 400, "{query}");
        }
        // A program is nobody.
        let (_, service) = token(&daemon, json!({"scopes": ["admin"]})).await;
        for program in [service.as_str(), "admin-key", "read-key", "check-key"] {
            let (status, problem) = own(program, "").await;
            assert_eq!((status, problem["detail"].as_str()), (403, Some("this is for people: the credential is a program's")), "{program}");
        }
        assert_eq!(ask(&daemon, "GET", "/me/effective-access", None, None).await.0, 401);
        // Who is not active is not let in, whoever decided it.
        world.org().suspend_user(ANN);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        assert_eq!(own(&hers, "").await.0, 401);
        world.org().reactivate_user(ANN);
        assert_eq!(world.sync(&["--source", "google_sync"]).await.code, 0);
        assert_eq!(told(&own(&hers, "").await.1), told(&found));
        assert_eq!(admin(&daemon, "PATCH", &format!("/admin/users/{bob}"), json!({"status": "deactivated"})).await.0, 200);
        assert_eq!(own(&his, "").await.0, 401);
    }

    async fn every_registered_type_is_there_with_its_blocks_by_the_ids_that_grants_store(world: World) {
        // M11: nothing here names a type; a new entry in the registry is tested by this as it stands.
        let mut world = world;
        let daemon = serve(&mut world).await;
        let ann = user(&daemon, ANN).await;
        let path = group_of(&daemon, "Editors", &ann).await;
        let (_, types) = ask(&daemon, "GET", "/admin/resource-types", Some("read-key"), None).await;
        let keys = |list: &Value| -> Vec<String> {
            list["resource_types"].as_array().expect("types").iter().map(|kind| kind["key"].as_str().expect("a key").to_owned()).collect()
        };
        let registered: Vec<&str> = RESOURCE_TYPES.iter().map(|kind| kind.key).collect();
        assert_eq!(keys(&types), registered);
        for kind in RESOURCE_TYPES {
            let spelled = format!("  {}  ", kind.example.to_uppercase());
            let body = json!({"group_id": id_of(&path), "permission": "admin", "resource_type": kind.key, "resource_id": spelled});
            let (status, made) = admin(&daemon, "POST", "/admin/grants", body).await;
            assert_eq!(status, 201, "{made}");
            let (status, overview) = ask(&daemon, "GET", "/admin/access-overview", Some("read-key"), None).await;
            assert_eq!((status, keys(&overview)), (200, keys(&types)));
            let of_type = overview["resource_types"].as_array().expect("types").iter().find(|of| of["key"] == kind.key);
            let block = json!({"resource_id": made["resource_id"], "known": false, "access": [{"permission": "admin", "paths": [
                {"group_id": id_of(&path), "group": "Editors", "by": "grant", "grant_id": made["id"]}]}]});
            assert_eq!(of_type.expect("the type")["blocks"], json!([block]));
            let question = json!({"user": ANN, "permission": "admin", "resource": {"type": kind.key, "id": spelled}});
            let (_, answer) = ask(&daemon, "POST", "/check", Some("check-key"), Some(question)).await;
            assert_eq!(answer["allowed"], true, "{answer}");
            let (status, made) = admin(&daemon, "POST", &format!("/admin/resources/{}", kind.path), json!({"id": kind.example})).await;
            assert_eq!(status, 201, "{made}");
            let (_, overview) = admin(&daemon, "GET", &format!("/admin/access-overview?resource_type={}", kind.key), Value::Null).await;
            let [of_type] = &overview["resource_types"].as_array().expect("types")[..] else { panic!("one type: {overview}") };
            assert_eq!((&of_type["blocks"][0]["known"], of_type["blocks"].as_array().map(Vec::len)), (&json!(true), Some(1)));
            assert_eq!(of_type["blocks"][0]["resource_id"], kind.example);
        }
    }

    async fn the_overview_shows_what_is_known_granted_or_entitled_page_by_page(world: World) {
        // M11
        let mut world = world;
        world.org().set_domains(ANN, SIRET, ["commune-a.fr"]);
        let daemon = serve(&mut world).await;
        daemon.login(&json!({"email": ANN, "claims": {"siret": SIRET}})).await;
        let (editors, writers) = (group(&daemon, "Editors").await, group(&daemon, "Writers").await);
        for (group, permission) in [(&editors, "admin"), (&editors, "read"), (&writers, "read")] {
            grant(&daemon, group, permission, "b.fr").await;
        }
        assert_eq!(admin(&daemon, "POST", "/admin/resources/maildomain", json!({"id": "d.fr"})).await.0, 201);
        let (mut blocks, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/admin/access-overview?resource_type=maildomain&limit=1{after}");
            let (status, page) = ask(&daemon, "GET", &path, Some("read-key"), None).await;
            assert_eq!(status, 200, "{page}");
            let page = &page["resource_types"][0];
            blocks.extend(page["blocks"].as_array().expect("blocks").clone());
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        let summary = |block: &Value| {
            let access = block["access"].as_array().expect("access").iter();
            let access = access.map(|of| json!([of["permission"], of["paths"].as_array().map(Vec::len), of["paths"][0]["by"]]));
            json!([block["resource_id"], block["known"], access.collect::<Vec<_>>()])
        };
        let expected = [
            json!(["b.fr", false, [["admin", 1, "grant"], ["read", 2, "grant"]]]),
            json!(["commune-a.fr", false, [["admin", 1, "facet"]]]),
            json!(["d.fr", true, []]),
        ];
        assert_eq!(blocks.iter().map(summary).collect::<Vec<_>>(), expected);
    }
}

/// A type is one entry in one file: the product names none elsewhere, beside what speaks of one backend's own words.
#[test]
fn a_new_resource_type_is_one_entry_in_one_file() {
    // M11
    const BACKENDS: [&str; 5] =
        ["src/source", "src/config/source", "src/cli/demo", "src/decoders", "model/src/enumeration"];
    fn files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            match entry.is_dir() {
                true => files(&entry, found),
                false => found.push(entry),
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for folder in ["src", "model/src", "entity/src", "migration/src"] {
        files(&root.join(folder), &mut all);
    }
    let mut named = Vec::new();
    for file in all {
        let inside = file.strip_prefix(root).expect("below the root").display().to_string();
        if inside == "model/src/resource.rs"
            || BACKENDS.iter().any(|backend| inside.starts_with(backend))
            || inside.contains("decoders")
        {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a file");
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (line, code) in product.lines().enumerate() {
            let told = code.trim_start().starts_with("//") || code.contains("description =") || code.contains("))]");
            let names = |kind: &entitled_model::resource::ResourceType| {
                [kind.key, kind.path, kind.create_feature, kind.access_feature]
                    .iter()
                    .any(|word| code.contains(&format!("\"{word}\"")))
            };
            if !told && RESOURCE_TYPES.iter().any(names) {
                named.push(format!("{inside}:{}: {code}", line + 1));
            }
        }
    }
    named.retain(|line| !line.contains("/tests"));
    assert!(named.is_empty(), "{}", named.join("\n"));
}
