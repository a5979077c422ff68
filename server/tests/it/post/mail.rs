//! Mail by a real server: the way of a request, TLS that is refused or somebody else's, hostile letters, refusals.

use exchange::ports::{Letter, Mailer as _, Undelivered};
use model::Timestamp;
use serde_json::Value;
use server::adapters::mailer::SmtpMailer;

use super::smtp::{SmtpServer, header, heard};
use super::{SITE, Site, settings};
use crate::support::Log;
use crate::support::environment::install_crypto;

/// Of digits, which a parser of configuration could take for a number; nothing else holds it.
const PASSWORD: &str = "000731946205518";

fn letter() -> Letter {
    Letter {
        id: "one".to_owned(),
        to: "mara@example.org".to_owned(),
        subject: "Größe: ✓".to_owned(),
        text: "Hello,\n.\n..\nmara\n".to_owned(),
        html: "<p>Hello</p>".to_owned(),
        at: Timestamp::parse("2026-06-15T12:00:00Z").unwrap(),
    }
}

/// Sends a letter as the configuration says.
async fn send(mail: &str, letter: &Letter) -> Result<(), Undelivered> {
    Log::shared();
    install_crypto();
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), mail);
    let mailer = SmtpMailer::new(settings.mail.as_ref().unwrap()).unwrap();
    mailer.send(letter).await
}

fn section(server: &SmtpServer, more: &str) -> String {
    format!(
        "[mail]\nserver = \"127.0.0.1\"\nport = {}\nfrom = \"Entrepôt <entrepot@example.org>\"\n{more}\n",
        server.port
    )
}

fn trusting(server: &SmtpServer, more: &str) -> String {
    let authority = server.authority.display();
    section(server, &format!("ca_file = \"{authority}\"\n{more}"))
}

fn check(message: &Value, to: &str, subject: &str, link: &str) {
    assert_eq!(message["to"], serde_json::json!([to]));
    assert_eq!(message["from"], "entrepot@example.org");
    assert_eq!(message["tls"], true);
    assert_eq!(message["defects"], serde_json::json!([]));
    assert_eq!(header(message, "to"), [to]);
    assert_eq!(header(message, "subject"), [subject]);
    assert_eq!(header(message, "from"), ["Entrepôt <entrepot@example.org>"]);
    assert_eq!(header(message, "reply-to"), ["help@example.org"]);
    assert_eq!(header(message, "auto-submitted"), ["auto-generated"]);
    assert_eq!(header(message, "date").len(), 1);
    let [id] = header(message, "message-id")[..] else {
        panic!("one id: {message}")
    };
    assert!(id.ends_with("@example.org>"), "{id}");
    for kind in ["text/plain", "text/html"] {
        let part = message["parts"][kind].as_str().unwrap();
        assert!(part.contains(link), "{link}: {part}");
    }
    let raw = message["raw"].as_str().unwrap();
    assert!(
        !raw.contains(PASSWORD) && !raw.contains("entrepot_"),
        "{raw}"
    );
}

#[tokio::test]
async fn a_request_is_followed_by_mail() {
    let databases = if std::env::var_os("TEST_POSTGRES_URL").is_some() {
        2
    } else {
        1
    };
    let credentials = ["--user", "entrepot", "--password", PASSWORD];
    let arguments = [&["--tls", "starttls"][..], &credentials].concat();
    let Some(server) = SmtpServer::start(&arguments) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let more = format!(
        "user = \"entrepot\"\npassword_file = \"{}\"\nreply_to = \"help@example.org\"",
        file.display()
    );
    let sites = Site::each(&trusting(&server, &more)).await;
    assert_eq!(sites.len(), databases);
    for mut site in sites {
        site.worker.drain().await;
        let request = site.world.request("live").await;
        site.worker.drain().await;
        let page = format!("{SITE}/requests/{}", request.id);
        let message = server.message();
        let asked = "To decide: rnd asks for vehicle-visits";
        check(&message, "producer@example.org", asked, &page);
        let text = message["parts"]["text/plain"].as_str().unwrap();
        assert!(text.contains("“Workshop visits”"), "{text}");
        assert!(text.contains("> warranty analysis"), "{text}");
        site.world.approve(&request).await;
        // The worker also sets the access up, and sees that it works.
        site.worker.drain().await;
        let approved = "Approved: vehicle-visits for rnd";
        check(&server.message(), "consumer@example.org", approved, &page);
        let ready = "Ready: vehicle-visits for rnd";
        let access = format!("{SITE}/access#recipient-");
        check(&server.message(), "consumer@example.org", ready, &access);
    }
    let rest = server.end();
    assert!(heard(&rest, "message").is_empty(), "{rest:?}");
    let log = Log::shared().text();
    assert!(!log.contains(PASSWORD), "the password is in the log");
}

#[tokio::test]
async fn where_starttls_is_refused_nothing_is_said() {
    let Some(server) = SmtpServer::start(&[]) else {
        return;
    };
    let more = format!("user = \"entrepot\"\npassword = \"{PASSWORD}\"");
    let refused = send(&section(&server, &more), &letter()).await.unwrap_err();
    assert!(!refused.permanent, "{refused}");
    assert!(!refused.sentence.contains(PASSWORD), "{refused}");
    let lines = server.end();
    assert_eq!(heard(&lines, "hello").len(), 1, "{lines:?}");
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[tokio::test]
async fn a_certificate_of_nobody_known_is_refused() {
    for mode in ["starttls", "implicit"] {
        let Some(server) = SmtpServer::start(&["--tls", mode]) else {
            return;
        };
        let mail = section(&server, &format!("tls = \"{mode}\""));
        let refused = send(&mail, &letter()).await.unwrap_err();
        assert!(!refused.permanent, "{refused}");
        let lines = server.end();
        assert!(heard(&lines, "mail").is_empty(), "{lines:?}");
    }
}

#[tokio::test]
async fn letters_arrive_as_they_were_written() {
    for mode in ["none", "starttls", "implicit"] {
        let Some(server) = SmtpServer::start(&["--tls", mode]) else {
            return;
        };
        let more = format!("tls = \"{mode}\"");
        let mail = match mode {
            "none" => section(&server, &more),
            _ => trusting(&server, &more),
        };
        send(&mail, &letter()).await.unwrap();
        let message = server.message();
        assert_eq!(header(&message, "subject"), ["Größe: ✓"]);
        assert_eq!(header(&message, "message-id"), ["<one@example.org>"]);
        let text = message["parts"]["text/plain"].as_str().unwrap();
        assert_eq!(
            text.replace("\r\n", "\n").trim_end(),
            letter().text.trim_end()
        );
        assert!(heard(&server.end(), "message").is_empty());
    }
}

#[tokio::test]
async fn no_letter_makes_headers_or_mails_of_its_own() {
    let Some(server) = SmtpServer::start(&[]) else {
        return;
    };
    let mail = section(&server, "tls = \"none\"");
    let evil = "x\r\nBcc: all@example.org\r\n\r\nanother body";
    let sent = send(
        &mail,
        &Letter {
            subject: evil.to_owned(),
            id: "a>\r\nBcc: all@example.org".to_owned(),
            text: "a\r\n.\r\nMAIL FROM:<all@example.org>\r\n".to_owned(),
            ..letter()
        },
    )
    .await;
    if sent.is_ok() {
        let message = server.message();
        assert_eq!(message["to"], serde_json::json!(["mara@example.org"]));
        assert!(header(&message, "bcc").is_empty(), "{message}");
        let text = message["parts"]["text/plain"].as_str().unwrap();
        assert!(text.contains("MAIL FROM:<all@example.org>"), "{text}");
    }
    for to in [
        "mara@example.org\r\nBcc: all@example.org",
        "mara@example.org, all@example.org",
        "mara@example.org> RCPT TO:<all@example.org",
        "mara",
        "",
    ] {
        let to = to.to_owned();
        let refused = send(&mail, &Letter { to, ..letter() }).await.unwrap_err();
        assert!(refused.permanent, "{refused}");
    }
    let lines = server.end();
    assert!(heard(&lines, "message").is_empty(), "{lines:?}");
}

#[tokio::test]
async fn refusals_are_for_good_where_they_are_about_the_mail() {
    let credentials = ["--user", "entrepot", "--password", PASSWORD];
    let arguments = [&["--tls", "starttls", "--refuse", "gone"][..], &credentials].concat();
    let Some(server) = SmtpServer::start(&arguments) else {
        return;
    };
    let with = |password: &str| {
        let more = format!("user = \"entrepot\"\npassword = \"{password}\"");
        trusting(&server, &more)
    };
    let gone = Letter {
        to: "gone@example.org".to_owned(),
        ..letter()
    };
    let refused = send(&with(PASSWORD), &gone).await.unwrap_err();
    assert!(refused.permanent, "{refused}");
    assert!(
        refused.sentence.contains("no such mailbox here"),
        "{refused}"
    );
    assert!(!refused.sentence.contains("gone@"), "{refused}");
    // A password can be mended, and then all that waits goes out.
    let refused = send(&with("wrong password"), &letter()).await.unwrap_err();
    assert!(!refused.permanent, "{refused}");
    assert!(refused.sentence.contains("535"), "{refused}");
    assert!(!refused.sentence.contains("wrong password"), "{refused}");
    let lines = server.end();
    assert!(heard(&lines, "message").is_empty(), "{lines:?}");
    // Nobody is there any more.
    let nobody = "[mail]\nserver = \"127.0.0.1\"\nport = 1\ntls = \"none\"\nfrom = \"entrepot@example.org\"\n";
    assert!(!send(nobody, &letter()).await.unwrap_err().permanent);
}
