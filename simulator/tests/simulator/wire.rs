//! S5: faults of the connection, read off a raw socket: the bytes are what they are said to be.

use entitled_simulator::{Fault, System, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::{SIRET_A, Stage};

/// What a socket reads after one request, until the connection ends; the error instead of bytes when it is reset.
async fn exchanged(stage: &Stage) -> Result<Vec<u8>, std::io::ErrorKind> {
    let mut socket = TcpStream::connect(stage.simulator.address()).await.expect("connects");
    let query = format!("service_id=42&account_type=user&account_email=ann@commune-a.fr&siret={SIRET_A}");
    let request = format!(
        "GET /api/v1.0/entitlements/?{query} HTTP/1.1\r\nHost: simulator\r\nX-Service-Auth: Bearer svc-key-42\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.expect("writes");
    let mut bytes = Vec::new();
    match socket.read_to_end(&mut bytes).await {
        Ok(_) => Ok(bytes),
        Err(error) => Err(error.kind()),
    }
}

async fn with_fault(fault: Fault) -> Stage {
    let stage = Stage::empty().await;
    stage.add_organisation(SIRET_A, true).set_domains("ann@commune-a.fr", SIRET_A, ["commune-a.fr"]);
    stage.fault(Target::system(System::Deploycenter).times(1), fault);
    stage
}

fn split(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    (String::from_utf8_lossy(&bytes[..end]).to_lowercase(), &bytes[end..])
}

#[tokio::test]
async fn a_reset_is_a_reset_before_any_byte() {
    let stage = with_fault(Fault::Reset).await;
    assert_eq!(exchanged(&stage).await, Err(std::io::ErrorKind::ConnectionReset));
    assert!(!stage.domains_of("ann@commune-a.fr").await.is_null(), "the next connection is served");
}

#[tokio::test]
async fn a_close_is_an_end_of_file_before_any_byte() {
    let stage = with_fault(Fault::Close).await;
    assert_eq!(exchanged(&stage).await, Ok(Vec::new()));
    assert!(!stage.domains_of("ann@commune-a.fr").await.is_null(), "the next connection is served");
}

#[tokio::test]
async fn a_truncated_answer_announces_more_than_it_sends_and_closes() {
    let stage = with_fault(Fault::Truncate).await;
    let bytes = exchanged(&stage).await.expect("bytes, then an end");
    let (head, body) = split(&bytes);
    let announced = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let announced: usize = announced.parse().expect("a number");
    assert!(head.starts_with("http/1.1 200 ok"));
    assert!(!body.is_empty() && body.len() < announced, "{} of {announced}", body.len());
    let stage = with_fault(Fault::Truncate).await;
    let answer = stage.entitlements("ann@commune-a.fr", SIRET_A).send().await.expect("a head");
    assert!(answer.bytes().await.is_err(), "a client sees a broken body");
}

#[tokio::test]
async fn an_oversize_answer_is_as_long_as_said_and_still_json() {
    let stage = with_fault(Fault::Oversize { bytes: 3_000_000 }).await;
    let answer = stage.entitlements("ann@commune-a.fr", SIRET_A).send().await.expect("an answer");
    assert_eq!(answer.content_length(), None);
    let body = answer.bytes().await.expect("a body");
    assert_eq!(body.len(), 3_000_000);
    serde_json::from_slice::<serde_json::Value>(&body).expect("JSON");
}

#[tokio::test]
async fn shutdown_frees_the_port_and_cuts_what_is_held() {
    let stage = with_fault(Fault::hold("for ever")).await;
    let address = stage.simulator.address();
    let held = stage.entitlements("ann@commune-a.fr", SIRET_A).send();
    let held = tokio::spawn(held);
    stage.wait_for_requests(System::Deploycenter, 1, std::time::Duration::from_secs(5)).await.expect("arrives");
    stage.simulator.shutdown().await;
    assert!(held.await.expect("ends").is_err());
    assert!(TcpStream::connect(address).await.is_err());
}
