//! Requests that are wrong: always a problem in the documented form, never a fault of the daemon's.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::on_both_stores;
use crate::support::{Daemon, World};

/// Sends bytes to the login hook, with the test's key.
async fn post(daemon: &Daemon, body: impl Into<reqwest::Body>) -> reqwest::Response {
    let request = reqwest::Client::new().post(format!("{}/hooks/login", daemon.base)).bearer_auth("login-key");
    request.header("content-type", "application/json").body(body).send().await.expect("an answer")
}

/// Requires a problem of this status, and returns it.
async fn problem(answer: reqwest::Response, status: u16) -> Value {
    let told = format!("{answer:?}");
    assert_eq!(answer.status().as_u16(), status, "{told}");
    assert_eq!(answer.headers()["content-type"], "application/problem+json", "{told}");
    let problem: Value = answer.json().await.expect("JSON");
    let title = StatusCode::from_u16(status).expect("a status").canonical_reason();
    assert_eq!((&problem["status"], problem["title"].as_str()), (&json!(status), title), "{problem}");
    assert!(
        problem["type"].is_string() && problem["detail"].as_str().is_some_and(|text| !text.is_empty()),
        "{problem}"
    );
    problem
}

/// A second machine caller, who may not report logins.
fn with_reader(world: &mut World) {
    world.configure(
        "[scheduler]",
        "[[http.keys]]\nname = \"reader\"\nsecret = { env = \"READER\" }\nscopes = [\"read\"]\n\n[scheduler]",
    );
    world.environment.push(("READER".to_owned(), "reader-key".to_owned()));
}

on_both_stores! {
    async fn bodies_that_are_not_json_are_400(world: World) {
        let daemon = world.serve().await;
        let deep_claims =
            format!(r#"{{"email":"ann@example.org","claims":{{"a":{}1{}}}}}"#, "[".repeat(5_000), "]".repeat(5_000));
        let bodies: Vec<Vec<u8>> = vec![
            b"".to_vec(),
            b"   ".to_vec(),
            b"{".to_vec(),
            b"{\"email\": \"ann@example.org\"".to_vec(),
            b"{\"email\": \"ann@example.org\"} trailing".to_vec(),
            b"email=ann@example.org".to_vec(),
            b"{'email': 'ann@example.org'}".to_vec(),
            b"\xff\xfe\x00".to_vec(),
            b"{\"email\": \"\xc3\x28@example.org\"}".to_vec(),
            b"{\"email\": \"\\ud800@example.org\"}".to_vec(),
            b"{\"email\": \"a\x00b@example.org\"}".to_vec(),
            deep_claims.into_bytes(),
        ];
        for body in bodies {
            let told = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            let problem = problem(post(&daemon, body).await, 400).await;
            assert!(!problem.to_string().contains("ann@example.org"), "{told}: {problem}");
        }
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 0);
    }

    async fn bodies_of_wrong_types_and_forms_are_422_and_name_the_field(world: World) {
        let daemon = world.serve().await;
        let long = "x".repeat(10_000);
        let claims: serde_json::Map<String, Value> = (0..65).map(|n| (format!("c{n}"), json!(n))).collect();
        for (body, field) in [
            (json!(null), None),
            (json!([]), None),
            (json!([{"email": "ann@example.org"}]), None),
            (json!("ann@example.org"), None),
            (json!(["sub-ann", "ann@example.org", {}]), None),
            (json!(7), None),
            (json!({}), None),
            (json!({"email": null, "sub": null}), None),
            (json!({"claims": {"siret": "1"}}), None),
            (json!({"email": 7}), None),
            (json!({"email": ["ann@example.org"]}), None),
            (json!({"sub": {"a": 1}}), None),
            (json!({"email": "ann@example.org", "claims": "siret"}), None),
            (json!({"email": "ann@example.org", "claims": [1]}), None),
            (json!({"email": ""}), Some("email")),
            (json!({"email": "   "}), Some("email")),
            (json!({"email": "ann"}), Some("email")),
            (json!({"email": "@example.org"}), Some("email")),
            (json!({"email": "a b@example.org"}), Some("email")),
            (json!({"email": "a\u{0}b@example.org"}), Some("email")),
            (json!({"email": format!("{long}@example.org")}), Some("email")),
            (json!({"email": "ann@example.org", "sub": long}), Some("sub")),
            (json!({"email": "ann@example.org", "sub": ""}), Some("sub")),
            (json!({"email": "ann@example.org", "sub": "a\u{0}b"}), Some("sub")),
            (json!({"email": "ann@example.org", "claims": {"a": "\u{0}"}}), Some("claims")),
            (json!({"email": "ann@example.org", "claims": {"a\u{0}": 1}}), Some("claims")),
            (json!({"email": "ann@example.org", "claims": {"a": [{"b": "\u{0}"}]}}), Some("claims")),
            (json!({"email": "ann@example.org", "claims": claims}), Some("claims")),
        ] {
            let told = body.to_string().chars().take(100).collect::<String>();
            let problem = problem(post(&daemon, body.to_string()).await, 422).await;
            assert_eq!(problem["field"].as_str(), field, "{told}: {problem}");
            assert!(!problem.to_string().contains("ann@example.org"), "{problem}");
        }
        let twice = r#"{"email": "ann@example.org", "email": "bob@example.org"}"#.to_owned();
        let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
        for body in [twice, deep] {
            problem(post(&daemon, body).await, 422).await;
        }
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 0);
    }

    async fn odd_bodies_that_are_logins_are_answered(world: World) {
        let mut world = world;
        world.configure(r#"claims = ["siret"]"#, "claims = [\"siret\"]\noptional_claims = [\"odd\"]");
        let daemon = world.serve().await;
        for body in [
            json!({"email": "ünï🦀@例え.jp", "sub": "🦀"}),
            json!({"email": "ann@example.org", "claims": null}),
            json!({"email": "ann@example.org", "unknown": {"a": [1, 2]}}),
            json!({"email": "ann@example.org", "claims": {"odd": u64::MAX}}),
            json!({"email": "ann@example.org", "claims": {"odd": -1.5e-300}}),
            json!({"email": "ann@example.org", "claims": {"odd": {"deep": [[[[{"a": "\u{202e}\u{7f}\u{1}"}]]]]}}}),
            json!({"email": "ann@example.org", "claims": {"odd": "x".repeat(10_000), "": 1, "é\"'\\": 2}}),
            json!({"email": "ann@example.org", "claims": {"odd": "'; DROP TABLE event; --"}}),
            json!({"sub": "s".repeat(255), "email": "o'brien\"\\$1@example.org"}),
        ] {
            for _ in 0..2 {
                let answer = post(&daemon, body.to_string()).await;
                assert_eq!(answer.status(), 200, "{body}");
            }
        }
        let duplicate = r#"{"email": "ann@example.org", "claims": {"odd": 1, "odd": 2}}"#;
        assert_eq!(post(&daemon, duplicate).await.status(), 200);
        assert_eq!(world.user("ann@example.org").await["claims"]["odd"], 2);
    }

    async fn a_body_over_the_limit_is_413(world: World) {
        let daemon = world.serve().await;
        let body = json!({"email": "ann@example.org", "claims": {"a": "x".repeat(65_536)}}).to_string();
        problem(post(&daemon, body.clone()).await, 413).await;
        let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
            body.into_bytes().chunks(4_096).map(|chunk| Ok(chunk.to_vec())).collect();
        let streamed = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
        problem(post(&daemon, streamed).await, 413).await;
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 0);
    }

    async fn a_missing_or_wrong_credential_is_401_and_a_narrow_one_403(world: World) {
        let mut world = world;
        with_reader(&mut world);
        let daemon = world.serve().await;
        let url = format!("{}/hooks/login", daemon.base);
        let body = json!({"email": "ann@example.org"});
        for credential in [
            None,
            Some("login-key"),
            Some("Bearer"),
            Some("Bearer "),
            Some("Bearer wrong"),
            Some("Bearer login-key2"),
            Some("Bearer login-ke"),
            Some("Basic bG9naW4ta2V5"),
            Some("Bearer login-key login-key"),
            Some("Bearer LOGIN-KEY"),
        ] {
            let request = reqwest::Client::new().post(&url).json(&body);
            let request = match credential {
                None => request,
                Some(text) => request.header("authorization", text),
            };
            let answer = request.send().await.expect("an answer");
            let challenge = answer.headers()["www-authenticate"].to_str().expect("text").to_owned();
            assert!(challenge.starts_with("Bearer"), "{challenge}");
            problem(answer, 401).await;
        }
        let odd = reqwest::header::HeaderValue::from_bytes(b"Bearer \xff\xfe").expect("a value");
        problem(reqwest::Client::new().post(&url).header("authorization", odd).send().await.expect("an answer"), 401)
            .await;
        let narrow = reqwest::Client::new().post(&url).bearer_auth("reader-key").json(&body);
        let told = problem(narrow.send().await.expect("an answer"), 403).await;
        assert!(told["detail"].as_str().is_some_and(|text| text.contains("hook:login")), "{told}");
        let lower = reqwest::Client::new().post(&url).header("authorization", "bearer login-key").json(&body);
        assert_eq!(lower.send().await.expect("an answer").status(), 200, "the scheme's case does not matter");
        let oversized = reqwest::Client::new().post(&url).body("x".repeat(60_000));
        problem(oversized.send().await.expect("an answer"), 401).await;
        assert_eq!(world.count("SELECT count(*) FROM user_account").await, 1);
    }

    async fn unknown_paths_are_404_and_wrong_methods_405(world: World) {
        let daemon = world.serve().await;
        let client = reqwest::Client::new();
        for path in [
            "/",
            "/hooks",
            "/hooks/login/",
            "/hooks/login/x",
            "/api",
            "/api/v1",
            "/api/v1/nothing",
            "/healthz/x",
            "//",
            "/%00",
            "/%ff",
            "/..%2f..%2fetc",
            "/api/openapi.yaml",
        ] {
            let answer = client.get(format!("{}{path}", daemon.base)).send().await.expect("an answer");
            problem(answer, 404).await;
        }
        for (path, right) in [
            ("/hooks/login", "POST"),
            ("/healthz", "GET"),
            ("/readyz", "GET"),
            ("/api/v1/health", "GET"),
            ("/metrics", "GET"),
            ("/api/openapi.json", "GET"),
        ] {
            for method in
                [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::TRACE]
            {
                if method == right {
                    continue;
                }
                let answer = client.request(method, format!("{}{path}", daemon.base)).send().await.expect("an answer");
                let allow = answer.headers().get("allow").map(|value| value.to_str().expect("text").to_owned());
                problem(answer, 405).await;
                assert!(allow.as_deref().is_some_and(|allow| allow.contains(right)), "{path}: {allow:?}");
            }
        }
    }

    async fn nothing_of_all_this_is_an_error_of_the_daemon(world: World) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let daemon = world.serve().await;
        let address = daemon.base.strip_prefix("http://").expect("an address").to_owned();
        let hook = |rest: &str| {
            let head = "POST /hooks/login HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer login-key\r\n";
            format!("{head}{rest}").into_bytes()
        };
        for raw in [
            b"GET / HTTP/9.9\r\n\r\n".to_vec(),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: \xff\r\n\r\n".to_vec(),
            hook("Content-Length: 99999999999999999999\r\n\r\n"),
            hook("Transfer-Encoding: chunked\r\n\r\nZZ\r\n"),
            hook("Content-Length: 50\r\n\r\n{\"email\":"),
        ] {
            let mut socket = tokio::net::TcpStream::connect(&address).await.expect("connected");
            socket.write_all(&raw).await.expect("sent");
            socket.shutdown().await.expect("closed");
            let mut answer = Vec::new();
            let _ = socket.read_to_end(&mut answer).await;
            assert!(!answer.starts_with(b"HTTP/1.1 5"), "{}", String::from_utf8_lossy(&answer));
        }
        assert_eq!(daemon.get("/healthz").await.status(), 200);
        let errors: Vec<_> =
            daemon.logs().into_iter().filter(|line| line["level"] == "ERROR" || line.is_string()).collect();
        assert_eq!(errors, [Value::Null; 0]);
    }

    async fn a_request_is_told_by_its_id_and_one_that_is_given_is_kept(world: World) {
        let daemon = world.serve().await;
        let request = reqwest::Client::new().get(format!("{}/healthz?secret=query", daemon.base));
        let answer = request.header("x-request-id", "trace-1.a:b_c").send().await.expect("an answer");
        assert_eq!(answer.headers()["x-request-id"], "trace-1.a:b_c");
        let line = daemon.wait_for_log(|line| line["request_id"] == "trace-1.a:b_c").await;
        assert_eq!((&line["route"], &line["status"]), (&json!("/healthz"), &json!(200)));
        for odd in ["a b", "<script>", &"x".repeat(129)] {
            let request = reqwest::Client::new().get(format!("{}/healthz", daemon.base)).header("x-request-id", odd);
            let answer = request.send().await.expect("an answer");
            assert_ne!(answer.headers()["x-request-id"], odd, "another one is made");
        }
        assert!(daemon.logs().iter().all(|line| !line.to_string().contains("secret=query")));
    }
}
