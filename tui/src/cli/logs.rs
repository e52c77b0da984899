//! `tana logs`: lines of a service's log, from the supervisor, or from the files where none runs.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use clap::Args;
use tana_client::{LogQuery, NodeEvent, StreamItem};
use tana_protocol::ServiceKind;
use tana_protocol::api::node::LogLine;

use super::context::Context;
use super::exit::{Exit, failure};
use super::output::print;
use super::status;
use crate::show::{Clock, clean};

/// How much of a file's end is read where no supervisor runs.
const FILE_END: u64 = 1024 * 1024;

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The service, or all
    #[arg(default_value = "all")]
    service: String,
    /// Go on with each new line
    #[arg(short, long)]
    follow: bool,
    /// How many of the last lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    lines: u32,
    /// Only lines that contain this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

impl Logs {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let service: Option<ServiceKind> = match self.service.as_str() {
            "all" => None,
            name => Some(
                name.parse()
                    .map_err(|error| failure(Exit::Misuse, format!("{error}, or all")))?,
            ),
        };
        let node = context.node()?;
        let query = LogQuery {
            tail: Some(self.lines),
            filter: self.filter.clone(),
        };
        let clock = status::clock();
        if self.follow {
            return follow(context, &clock, node.follow_logs(service, &query)).await;
        }
        match node.logs(service, &query).await {
            Ok(lines) => {
                for line in &lines {
                    context.out.line(line, || text(context, &clock, line))?;
                }
                Ok(Exit::Done)
            }
            Err(error) if error.is_unreachable() => self.read_files(context, service),
            Err(error) => Err(error.into()),
        }
    }

    /// What the files say of a node that does not run.
    fn read_files(&self, context: &Context, service: Option<ServiceKind>) -> anyhow::Result<Exit> {
        let Some(service) = service else {
            return Err(failure(
                Exit::Unreachable,
                format!(
                    "no node runs here; name one service to read its file, all are in {}",
                    context.home().logs_dir().display()
                ),
            ));
        };
        let path = context.home().logs_dir().join(format!("{service}.log"));
        let text = match end_of(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(failure(
                    Exit::Unreachable,
                    format!(
                        "no node runs here, and {service} has no log yet; start it: tana start"
                    ),
                ));
            }
            Err(error) => return Err(error.into()),
        };
        let wanted = |line: &&str| match &self.filter {
            Some(filter) => line.contains(filter.as_str()),
            None => true,
        };
        let lines: Vec<&str> = text.lines().filter(wanted).collect();
        let count = usize::try_from(self.lines).unwrap_or(usize::MAX);
        for line in &lines[lines.len().saturating_sub(count)..] {
            print(&format!("{}\n", clean(line)))?;
        }
        Ok(Exit::Done)
    }
}

fn end_of(path: &std::path::Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(FILE_END)))?;
    let mut bytes = Vec::new();
    file.take(FILE_END).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn text(context: &Context, clock: &Clock, line: &LogLine) -> String {
    let level = format!("{:?}", line.level).to_lowercase();
    format!(
        "{} {:<8} {level:<5} {}\n",
        context.out.dim(&clock.time(line.at)),
        line.service,
        clean(&line.text)
    )
}

async fn follow(
    context: &Context,
    clock: &Clock,
    mut lines: tana_client::EventStream<NodeEvent>,
) -> anyhow::Result<Exit> {
    let mut heard = false;
    while let Some(item) = lines.next().await {
        match item {
            StreamItem::Connected => heard = true,
            StreamItem::Event(NodeEvent::Log(line)) => {
                context.out.line(&line, || text(context, clock, &line))?;
            }
            StreamItem::Event(NodeEvent::Stopping) => return Ok(Exit::Done),
            StreamItem::Event(NodeEvent::Service(_)) => {}
            StreamItem::Lost { .. } if !heard => {
                return Err(failure(
                    Exit::Unreachable,
                    "no node runs here; start it: tana start",
                ));
            }
            StreamItem::Lost { why, .. } => context.out.progress(&format!("tana: {why}")),
            StreamItem::Refused(error) => return Err(error.into()),
        }
    }
    Ok(Exit::Done)
}
