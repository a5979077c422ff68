//! Logs: one event a line, as text or JSON, on standard error. What others wrote into a field cannot break out of its line:
//! line ends and terminal codes are encoded (C-39).

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::config::{LogFormat, TelemetrySettings};

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("telemetry.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging is set up already")]
    Twice,
}

/// Sets up logging for the process.
pub fn init(settings: &TelemetrySettings) -> Result<(), TelemetryError> {
    let subscriber = subscriber(settings, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::Twice)
}

/// The subscriber that [`init`] installs, for a writer of one's own.
pub fn subscriber<W>(
    settings: &TelemetrySettings,
    writer: W,
) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&settings.filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Encoding(writer));
    Ok(match settings.format {
        LogFormat::Text => Box::new(registry.with(layer)),
        LogFormat::Json => Box::new(registry.with(layer.json().flatten_event(true))),
    })
}

/// Makes writers that encode what does not belong into a line.
struct Encoding<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Encoding<W> {
    type Writer = Encoded<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Encoded(self.0.make_writer())
    }
}

struct Encoded<W>(W);

impl<W: Write> Write for Encoded<W> {
    /// An event comes in one piece that ends with a line feed.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let (text, end) = match event.strip_suffix(b"\n") {
            Some(text) => (text, "\n"),
            None => (event, ""),
        };
        let text = String::from_utf8_lossy(text);
        let mut line = String::with_capacity(text.len() + 1);
        for c in text.chars() {
            let is_line_end = matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
            if c.is_control() || is_line_end {
                line.extend(c.escape_unicode());
            } else {
                line.push(c);
            }
        }
        line.push_str(end);
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_breaks_out_of_a_line() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let kept = Kept::default();
            let writer = kept.clone();
            let settings = TelemetrySettings {
                format,
                filter: "info".to_owned(),
            };
            let subscriber = subscriber(&settings, move || writer.clone()).unwrap();
            tracing::subscriber::with_default(subscriber, || {
                let hostile = "x\r\n2026 INFO forged\u{1b}[31m\u{2028}\u{85}end";
                tracing::info!(name = %hostile, "first {hostile}");
                tracing::warn!("second");
            });
            let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            assert_eq!(text.lines().count(), 2, "{text}");
            assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text:?}");
            assert!(!text.contains('\u{2028}'), "{text:?}");
            assert!(text.contains("forged"), "{text}");
        }
    }

    #[test]
    fn a_wrong_filter_is_said() {
        let settings = TelemetrySettings {
            format: LogFormat::Text,
            filter: "info=x=y".to_owned(),
        };
        assert!(subscriber(&settings, io::sink).is_err());
    }
}
