//! People who log in elsewhere: at a proxy in front, or at the organisation's OpenID Connect provider, which plays here over
//! real HTTP with real RSA keys.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::routing::get;
use axum::{Json, Router};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::hand::{ANN, BOB, admin, ask, events_after, head, serve, user};
use crate::on_both_stores;
use crate::support::{Daemon, World};
use crate::tokens::promote;

const KEYS: [&str; 2] = [include_str!("keys/oidc_1.pem"), include_str!("keys/oidc_2.pem")];

/// A provider; its keys can be changed, and so can what it answers with.
struct Provider {
    issuer: String,
    served: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
}

fn key(of: usize) -> EncodingKey {
    EncodingKey::from_rsa_pem(KEYS[of].as_bytes()).expect("an RSA key")
}

fn jwk(of: usize) -> Value {
    let mut jwk = Jwk::from_encoding_key(&key(of), Algorithm::RS256).expect("a public key");
    jwk.common.key_id = Some(format!("key-{of}"));
    serde_json::to_value(jwk).expect("JSON")
}

impl Provider {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}/realms/acme", listener.local_addr().expect("an address"));
        let served = Arc::new(Mutex::new(json!({ "keys": [jwk(0)] })));
        let asked = Arc::new(AtomicUsize::new(0));
        let discovery = json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") });
        let (keys, count) = (Arc::clone(&served), Arc::clone(&asked));
        let routes = Router::new()
            .route("/realms/acme/.well-known/openid-configuration", get(move || async move { Json(discovery) }))
            .route(
                "/realms/acme/keys",
                get(move || async move {
                    count.fetch_add(1, Ordering::SeqCst);
                    Json(keys.lock().expect("keys").clone())
                }),
            );
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { issuer, served, asked }
    }

    fn serve(&self, keys: &[usize]) {
        *self.served.lock().expect("keys") = json!({ "keys": keys.iter().map(|of| jwk(*of)).collect::<Vec<_>>() });
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn claims(&self, sub: &str) -> Value {
        let now = chrono::DateTime::parse_from_rfc3339(&now()).expect("a time").timestamp();
        json!({"iss": self.issuer, "aud": "entitled", "sub": sub, "iat": now, "exp": now + 600})
    }

    fn token(&self, of: usize, claims: &Value) -> String {
        let header = Header { kid: Some(format!("key-{of}")), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &key(of)).expect("a token")
    }

    fn configure(&self, world: &mut World) {
        let section = format!("[identity.oidc]\nissuer = \"{}\"\naudience = \"entitled\"\n\n[scheduler]", self.issuer);
        world.configure("[scheduler]", &section);
    }
}

fn now() -> String {
    entitled_model::instant::written(entitled::clock::Clock::system().now())
}

fn with(claims: &Value, field: &str, value: Value) -> Value {
    let mut changed = claims.clone();
    changed[field] = value;
    changed
}

fn without(claims: &Value, field: &str) -> Value {
    let mut changed = claims.clone();
    changed.as_object_mut().expect("claims").remove(field);
    changed
}

async fn status(daemon: &Daemon, token: &str) -> u16 {
    ask(daemon, "GET", "/me/tokens", Some(token), None).await.0
}

/// Two people who have logged in with their `sub`, and the ids of both.
async fn people(daemon: &Daemon) -> (String, String) {
    let (_, answer) = daemon.login(&json!({"email": ANN, "sub": "sub-ann"})).await;
    (answer["user"]["id"].as_str().expect("an id").to_owned(), user(daemon, BOB).await)
}

on_both_stores! {
    async fn a_person_logs_in_at_the_provider_and_makes_a_token(world: World) {
        // T1, T5, T7, T9
        let mut world = world;
        let provider = Provider::start().await;
        provider.configure(&mut world);
        let daemon = serve(&mut world).await;
        let (ann, _) = people(&daemon).await;
        let login = provider.token(0, &provider.claims("sub-ann"));
        assert_eq!(ask(&daemon, "GET", "/admin/groups", Some(&login), None).await.0, 403, "Ann is no administrator");
        let before = head(&world).await;
        let (code, made) = ask(&daemon, "POST", "/me/tokens", Some(&login), Some(json!({"name": "mine"}))).await;
        assert_eq!((code, &made["owner"], &made["scopes"]), (201, &json!(ann), &json!(["read"])), "{made}");
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        assert_eq!(status(&daemon, &secret).await, 200);
        let other = json!({"owner": ann});
        assert_eq!(ask(&daemon, "POST", "/me/tokens", Some(&login), Some(other)).await.0, 400);
        assert_eq!(ask(&daemon, "POST", "/admin/tokens", Some(&login), Some(json!({"scopes": ["read"]}))).await.0, 403);
        assert_eq!(events_after(&world, before).await, [("token.created".to_owned(), format!("user:{ann}"))]);
        promote(&daemon, &ann).await;
        let new = Some(json!({"name": "New"}));
        assert_eq!(ask(&daemon, "POST", "/admin/groups", Some(&login), new).await.0, 201, "at the next request");
        let id = made["id"].as_str().expect("an id");
        assert_eq!(ask(&daemon, "DELETE", &format!("/me/tokens/{id}"), Some(&login), None).await.0, 204);
        assert_eq!(provider.asked(), 1, "keys are kept");
        let logs = format!("{:?}", daemon.logs());
        assert!(!logs.contains("sub-ann") && !logs.contains(&login));
    }

    async fn what_is_not_a_valid_token_for_us_is_refused(world: World) {
        let mut world = world;
        let provider = Provider::start().await;
        provider.configure(&mut world);
        let daemon = serve(&mut world).await;
        people(&daemon).await;
        let good = provider.claims("sub-ann");
        let at = good["iat"].as_i64().expect("a time");
        assert_eq!(status(&daemon, &provider.token(0, &good)).await, 200);
        for (why, claims) in [
            ("another issuer", with(&good, "iss", json!("https://id.example"))),
            ("no issuer", without(&good, "iss")),
            ("another audience", with(&good, "aud", json!("other"))),
            ("no audience", without(&good, "aud")),
            ("expired", with(&good, "exp", json!(at - 61))),
            ("no expiry", without(&good, "exp")),
            ("an expiry that is no number", with(&good, "exp", json!("never"))),
            ("not yet", with(&good, "nbf", json!(at + 300))),
            ("nobody", without(&good, "sub")),
        ] {
            assert_eq!(status(&daemon, &provider.token(0, &claims)).await, 401, "{why}");
        }
        let lists = with(&good, "aud", json!(["other", "entitled"]));
        assert_eq!(status(&daemon, &provider.token(0, &lists)).await, 200, "one of several audiences");
        assert_eq!(status(&daemon, &provider.token(0, &with(&good, "exp", json!(at - 30)))).await, 200, "clocks differ a little");
        // The public key as a shared secret, no signature, another's signature, a changed claim.
        let part = |value: &Value| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, value.to_string());
        let public = jwk(0)["n"].as_str().expect("a modulus").to_owned();
        let hs = Header { kid: Some("key-0".to_owned()), ..Header::new(Algorithm::HS256) };
        let confused = jsonwebtoken::encode(&hs, &good, &EncodingKey::from_secret(public.as_bytes())).expect("a token");
        let unsigned = format!("{}.{}.", part(&json!({"alg": "none", "kid": "key-0"})), part(&good));
        let foreign = Header { kid: Some("key-0".to_owned()), ..Header::new(Algorithm::RS256) };
        let foreign = jsonwebtoken::encode(&foreign, &good, &key(1)).expect("a token");
        let signed = provider.token(0, &good);
        let parts: Vec<&str> = signed.split('.').collect();
        let changed = format!("{}.{}.{}", parts[0], part(&with(&good, "sub", json!("sub-bob"))), parts[2]);
        let critical = format!("{}.{}.{}", part(&json!({"alg": "RS256", "kid": "key-0", "crit": ["x"]})), parts[1], parts[2]);
        let long = format!("{signed}{}", "A".repeat(20_000));
        for (why, token) in [("HS256", confused), ("none", unsigned), ("another's", foreign), ("changed", changed),
            ("critical", critical), ("long", long), ("cut", signed[..signed.len() - 2].to_owned()), ("empty", "..".to_owned())] {
            let code = status(&daemon, &token).await;
            assert!(code == 401 || code == 431, "{why}: {code}");
        }
    }

    async fn keys_rotate_and_an_unknown_key_does_not_make_the_provider_be_asked_all_the_time(world: World) {
        let mut world = world;
        let provider = Provider::start().await;
        provider.configure(&mut world);
        let daemon = serve(&mut world).await;
        people(&daemon).await;
        let claims = provider.claims("sub-ann");
        provider.serve(&[1]);
        assert_eq!(status(&daemon, &provider.token(1, &claims)).await, 200);
        assert_eq!(provider.asked(), 1);
        provider.serve(&[0, 1]);
        for _ in 0..10 {
            assert_eq!(status(&daemon, &provider.token(0, &claims)).await, 401, "too soon to be asked again");
        }
        assert_eq!(provider.asked(), 1);
        assert_eq!(status(&daemon, &provider.token(1, &claims)).await, 200, "known keys are not concerned");
        // Another process asks when it first must, and knows both.
        let other = world.serve().await;
        assert_eq!(status(&other, &provider.token(0, &claims)).await, 200);
        assert_eq!(status(&other, &provider.token(1, &claims)).await, 200);
    }

    async fn without_its_keys_nobody_is_believed_and_tokens_of_ours_are(world: World) {
        let mut world = world;
        let provider = Provider::start().await;
        provider.configure(&mut world);
        *provider.served.lock().expect("keys") = json!({"keys": "none"});
        let daemon = serve(&mut world).await;
        people(&daemon).await;
        let login = provider.token(0, &provider.claims("sub-ann"));
        assert_eq!(status(&daemon, &login).await, 503);
        assert_eq!(admin(&daemon, "GET", "/admin/groups", Value::Null).await.0, 200);
    }

    async fn whoever_is_not_known_here_may_not_come_in(world: World) {
        // T8
        let mut world = world;
        let provider = Provider::start().await;
        provider.configure(&mut world);
        let daemon = serve(&mut world).await;
        let (ann, bob) = people(&daemon).await;
        let stranger = provider.claims("sub-new");
        let email = |address: &str, verified: bool| {
            with(&with(&stranger, "email", json!(address)), "email_verified", json!(verified))
        };
        for (why, claims, code) in [
            ("nobody's sub", stranger.clone(), 403),
            ("an address that nobody has verified", email(BOB, false), 403),
            ("a verified address", email("Bob@Example.org", true), 200),
            ("an address that is known by another sub", email(ANN, true), 403),
            ("a sub, whatever the address", with(&email(BOB, true), "sub", json!("sub-ann")), 200),
        ] {
            assert_eq!(status(&daemon, &provider.token(0, &claims)).await, code, "{why}");
        }
        let before = world.count("SELECT count(*) FROM user_account").await;
        assert_eq!(before, 2, "a login at the provider makes nobody known");
        let out = json!({"status": "deactivated"});
        for id in [&ann, &bob] {
            assert_eq!(admin(&daemon, "PATCH", &format!("/admin/users/{id}"), out.clone()).await.0, 200);
        }
        assert_eq!(status(&daemon, &provider.token(0, &provider.claims("sub-ann"))).await, 403);
    }

    async fn a_provider_is_believed_only_when_it_is_configured(world: World) {
        let mut world = world;
        let provider = Provider::start().await;
        let daemon = serve(&mut world).await;
        people(&daemon).await;
        assert_eq!(status(&daemon, &provider.token(0, &provider.claims("sub-ann"))).await, 401);
        assert_eq!(provider.asked(), 0);
    }

    async fn a_proxy_is_believed_from_its_own_address_alone(world: World) {
        let mut world = world;
        let asked = async |daemon: &Daemon, method: &str, path: &str, headers: &[(&'static str, &str)]| {
            let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
            let mut request = reqwest::Client::new().request(method, format!("{}/api/v1{path}", daemon.base)).body("{}");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.send().await.expect("an answer").status().as_u16()
        };
        let ann = ("x-auth-request-email", "Ann@Example.org");
        let daemon = serve(&mut world).await;
        user(&daemon, ANN).await;
        assert_eq!(asked(&daemon, "GET", "/me/tokens", &[ann]).await, 401, "off unless configured");
        assert_eq!(daemon.terminate().await, 0);
        world.configure("[scheduler]", "[identity.proxy]\naddresses = [\"10.0.0.0/8\"]\nheader = \"X-Auth-Request-Email\"\n\n[scheduler]");
        let daemon = serve(&mut world).await;
        assert_eq!(asked(&daemon, "GET", "/me/tokens", &[ann]).await, 401, "not from here");
        assert_eq!(asked(&daemon, "GET", "/me/tokens", &[ann, ("x-forwarded-for", "10.0.0.1")]).await, 401, "nor by pretending");
        assert_eq!(daemon.terminate().await, 0);
        world.configure("10.0.0.0/8", "127.0.0.0/8");
        let daemon = serve(&mut world).await;
        assert_eq!(asked(&daemon, "GET", "/me/tokens", &[ann]).await, 200);
        assert_eq!(asked(&daemon, "GET", "/admin/groups", &[ann]).await, 403);
        assert_eq!(asked(&daemon, "POST", "/me/tokens", &[ann]).await, 201);
        assert_eq!(asked(&daemon, "POST", "/me/tokens", &[ann, ("sec-fetch-site", "same-origin")]).await, 201);
        for site in ["cross-site", "same-site"] {
            assert_eq!(asked(&daemon, "POST", "/me/tokens", &[ann, ("sec-fetch-site", site)]).await, 403, "{site}");
        }
        assert_eq!(asked(&daemon, "GET", "/me/tokens", &[("x-auth-request-email", "new@example.org")]).await, 403);
        for bad in ["", "ann", "a@b@c"] {
            assert_eq!(asked(&daemon, "GET", "/me/tokens", &[("x-auth-request-email", bad)]).await, 401, "{bad:?}");
        }
        assert_eq!(asked(&daemon, "GET", "/me/tokens", &[ann, ("x-auth-request-email", BOB)]).await, 401, "one, not two");
        assert_eq!(asked(&daemon, "GET", "/me/tokens", &[ann, ("authorization", "Bearer wrong")]).await, 401, "a credential comes first");
    }
}
