//! A running simulator with a client that holds a valid token.

use std::ops::Deref;

use entitled_simulator::{Handle, Organisation, Simulator, SimulatorConfig};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

pub const SCOPES: &str = "https://www.googleapis.com/auth/admin.directory.group.readonly \
                          https://www.googleapis.com/auth/admin.directory.user.readonly";
pub const SIRET_A: &str = "21750001600019";

pub struct Stage {
    pub simulator: Simulator,
    pub client: Client,
    token: String,
}

impl Deref for Stage {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        self.simulator.organisation()
    }
}

impl Stage {
    pub async fn empty() -> Stage {
        Stage::with(SimulatorConfig { organisation: Organisation::empty(), ..Default::default() }).await
    }

    pub async fn with(config: SimulatorConfig) -> Stage {
        let simulator = Simulator::start(config).await.expect("a free port");
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let mut stage = Stage { simulator, client, token: String::new() };
        stage.renew_token().await;
        stage.clear_requests();
        stage
    }

    pub async fn renew_token(&mut self) {
        let answer = self.exchange(&self.signed(&self.claims())).await;
        let body: Value = answer.json().await.expect("JSON");
        self.token = body["access_token"].as_str().expect("a token").to_owned();
    }

    pub fn claims(&self) -> Value {
        let now = jsonwebtoken::get_current_timestamp();
        json!({
            "iss": self.simulator.service_account(), "sub": "admin@example.com", "scope": SCOPES,
            "aud": self.simulator.token_uri(), "iat": now, "exp": now + 3600
        })
    }

    pub fn signed(&self, claims: &Value) -> String {
        let key = self.simulator.service_account_key();
        let pem = key["private_key"].as_str().expect("a key");
        assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----"));
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a PEM key");
        encode(&Header::new(Algorithm::RS256), claims, &key).expect("signs")
    }

    pub async fn exchange(&self, assertion: &str) -> Response {
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)];
        self.client.post(self.simulator.token_uri()).form(&form).send().await.expect("an answer")
    }

    /// A directory call; the path after `/admin/directory/v1/`.
    pub fn directory(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}/admin/directory/v1/{path}", self.simulator.base_url())).bearer_auth(&self.token)
    }

    pub async fn page(&self, path: &str) -> Value {
        let answer = self.directory(path).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.expect("JSON")
    }

    /// Status and `errors[0].reason` of a refused directory call.
    pub async fn refusal(&self, path: &str) -> (u16, String) {
        let answer = self.directory(path).send().await.expect("an answer");
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body["error"]["code"], status);
        (status, body["error"]["errors"][0]["reason"].as_str().unwrap_or_default().to_owned())
    }

    /// Every row of a list, page after page.
    pub async fn all(&self, path: &str, key: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut page_token = String::new();
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = self.page(&format!("{path}{separator}pageToken={page_token}")).await;
            rows.extend(page[key].as_array().cloned().unwrap_or_default());
            match page["nextPageToken"].as_str() {
                Some(token) => page_token = token.to_owned(),
                None => return rows,
            }
        }
    }

    /// A DeployCenter call about one e-mail.
    pub fn entitlements(&self, email: &str, siret: &str) -> RequestBuilder {
        let query = [("service_id", "42"), ("account_type", "user"), ("account_email", email), ("siret", siret)];
        let credential = format!("Bearer {}", self.simulator.deploycenter_key());
        self.client.get(self.simulator.deploycenter_url()).query(&query).header("X-Service-Auth", credential)
    }

    pub async fn entitlements_of(&self, email: &str, siret: &str) -> Value {
        let answer = self.entitlements(email, siret).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.json::<Value>().await.expect("JSON")["entitlements"].clone()
    }

    pub async fn domains_of(&self, email: &str) -> Value {
        self.entitlements_of(email, SIRET_A).await["can_admin_maildomains"].clone()
    }
}
