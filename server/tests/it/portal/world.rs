//! The world of the portal's tests, and the calls of a browser without JavaScript.

use http::StatusCode;

use super::{FUNCTIONS, HTML, PRODUCT};
use crate::support::{Answer, TestApp};

/// The owner's product, a consumer, and for each a session.
pub(super) struct World {
    pub(super) app: TestApp,
    pub(super) mara: String,
    pub(super) jonas: String,
}

impl World {
    pub(super) async fn start() -> Self {
        let app = TestApp::start().await;
        app.domain("vehicle").await;
        for team in ["aftersales", "rnd"] {
            app.team(team, "vehicle").await;
        }
        for (person, team, role) in [
            ("mara", "rnd", "consumer"),
            ("jonas", "aftersales", "producer"),
        ] {
            app.person(person, &[]).await;
            app.member(team, person, role).await;
        }
        app.storage("aws_eu", "aws", "eu-central-1", false).await;
        app.product(PRODUCT, "aftersales").await;
        let (mara, jonas) = (app.sign_in("mara").await, app.sign_in("jonas").await);
        Self { app, mara, jonas }
    }

    /// As a browser without JavaScript sends it.
    pub(super) async fn send(
        &self,
        cookie: &str,
        function: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        self.app
            .post(&format!("{FUNCTIONS}{function}"))
            .own_origin()
            .cookie(cookie)
            .header("accept", HTML)
            .header("referer", "https://data.example/elsewhere")
            .form(fields)
            .await
    }

    pub(super) async fn page(&self, cookie: &str, path: &str) -> Answer {
        self.app
            .get(path)
            .cookie(cookie)
            .header("accept", HTML)
            .send()
            .await
    }

    pub(super) async fn recipient(&self) {
        let made = self
            .send(
                &self.mara,
                "access/create_recipient",
                &[
                    ("at", "/products/vehicle-visits/request"),
                    ("id", "recipient-new"),
                    ("form[product]", PRODUCT),
                    ("form[name]", "rnd_weu"),
                    ("form[team]", "rnd"),
                    ("form[cloud]", "azure"),
                    ("form[region]", "westeurope"),
                ],
            )
            .await;
        assert_eq!(
            (made.status, made.location()),
            (
                StatusCode::SEE_OTHER,
                "/products/vehicle-visits/request?recipient=rnd_weu"
            ),
            "{}",
            made.text
        );
    }

    /// Asks, and answers the path of the request.
    pub(super) async fn request(&self) -> String {
        let sent = self
            .send(&self.mara, "access/create_request", &request(&[]))
            .await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.text);
        let path = sent.location().to_owned();
        assert!(path.starts_with("/requests/"), "{path}");
        path
    }
}

pub(super) const AT: &str = "/products/vehicle-visits/request?recipient=rnd_weu";

pub(super) fn request<'a>(others: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("at", AT),
        ("id", "request-new"),
        ("form[product]", PRODUCT),
        ("form[recipient]", "rnd_weu"),
        ("form[mode]", "live"),
        ("form[until]", "2026-12-31"),
        ("form[purpose][code]", "warranty"),
        ("form[purpose][text]", "Which parts fail?"),
    ];
    for (name, value) in others {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    fields
}
