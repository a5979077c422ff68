//! The port `Mailer` over SMTP. One connection per mail: there are few, and a server that was restarted is no special case.
//!
//! With `starttls`, the default, nothing is said before the connection is encrypted, and nothing is sent where the server
//! will not encrypt. The password goes to the server alone: it is in no error and in no log.

use std::time::Duration;

use async_trait::async_trait;
use exchange::ports::{Letter, Mailer, Undelivered};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;

use crate::config::{MailSettings, MailTls};

/// A server that does not answer a command within this time has hung up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// All of one mail, so that a lease is not held by a server that drips.
const TIMEOUT: Duration = Duration::from_secs(90);

/// Permanent answers that are about us and not about the mail: they may be mended, so the mail is tried again.
const ABOUT_US: [u16; 5] = [502, 530, 534, 535, 538];

pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    /// Where it leads, for messages.
    place: String,
}

#[derive(Debug, thiserror::Error)]
#[error("mail cannot be set up: {0}")]
pub struct MailerError(String);

impl SmtpMailer {
    /// Connects to nothing yet.
    pub fn new(settings: &MailSettings) -> Result<Self, MailerError> {
        let tls = match settings.tls {
            MailTls::None => Tls::None,
            MailTls::StartTls => Tls::Required(parameters(settings)?),
            MailTls::Implicit => Tls::Wrapper(parameters(settings)?),
        };
        let domain = settings.from.email.domain().to_owned();
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.server)
            .port(settings.port)
            .tls(tls)
            .hello_name(ClientId::Domain(domain))
            .timeout(Some(ANSWER_TIMEOUT));
        if let Some((user, password)) = &settings.credentials {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self {
            transport: builder.build(),
            from: settings.from.clone(),
            reply_to: settings.reply_to.clone(),
            place: format!("{}:{}", settings.server, settings.port),
        })
    }

    fn message(&self, letter: &Letter) -> Result<Message, Undelivered> {
        let unfit = |what: &str| Undelivered::permanent(format!("the mail was not sent: {what}"));
        let to = letter
            .to
            .parse()
            .map_err(|_| unfit("the person's address is none; change it and try again"))?;
        // Ours are of digits and letters; the header is written as it is.
        let id: String = letter
            .id
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
            .collect();
        let at = Duration::from_micros(letter.at.micros().unsigned_abs());
        let domain = self.from.email.domain();
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject.clone())
            .date(std::time::SystemTime::UNIX_EPOCH + at)
            .message_id(Some(format!("<{id}@{domain}>")));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let body = MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone());
        let mut message = builder
            .multipart(body)
            .map_err(|error| unfit(&error.to_string()))?;
        // RFC 3834: nobody's out-of-office answers it.
        message.headers_mut().insert_raw(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
        Ok(message)
    }

    /// Servers repeat to whom they do not deliver; a person's address is nothing for a log.
    fn undelivered(&self, error: &lettre::transport::smtp::Error, to: &str) -> Undelivered {
        let sentence = format!(
            "the mail server {} did not take it: {}",
            self.place,
            said(error).replace(to, "(address)")
        );
        let code = error.status().map(u16::from);
        let is_final = error.is_permanent() && code.is_none_or(|code| !ABOUT_US.contains(&code));
        if is_final {
            Undelivered::permanent(sentence)
        } else {
            Undelivered::passing(sentence)
        }
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, letter: &Letter) -> Result<(), Undelivered> {
        let message = self.message(letter)?;
        match tokio::time::timeout(TIMEOUT, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.undelivered(&error, &letter.to)),
            Err(_) => Err(Undelivered::passing(format!(
                "the mail server {} took longer than {} s",
                self.place,
                TIMEOUT.as_secs()
            ))),
        }
    }
}

fn parameters(settings: &MailSettings) -> Result<TlsParameters, MailerError> {
    let mut builder = TlsParameters::builder(settings.server.clone());
    if let Some(pem) = &settings.authorities {
        let certificate = Certificate::from_pem(pem)
            .map_err(|_| MailerError("mail.ca_file holds no certificates in PEM".to_owned()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder
        .build()
        .map_err(|error| MailerError(error.to_string()))
}

/// What is wrong, down to its cause.
fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    text
}
