//! Prices on disk: a line of JSON for each model, whole or not there at all.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{History, Quote, Sample};

/// Bytes that are read: some hundreds of models.
const MOST: u64 = 256 << 20;

/// A model. A sample is its minute, nodes, and the four quotes.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    model: String,
    samples: Vec<(u32, u32, i64, i64, i64, i64)>,
}

pub(super) fn read(path: &Path) -> io::Result<HashMap<String, History>> {
    let size = match fs::metadata(path) {
        Ok(file) => file.len(),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(cause) => return Err(cause),
    };
    if size > MOST {
        return Err(io::Error::other(format!("it has {size} bytes; at most {MOST} are read")));
    }
    let text = fs::read_to_string(path)?;
    text.lines().map(|line| serde_json::from_str(line).map(history).map_err(io::Error::other)).collect()
}

fn history(line: Line) -> (String, History) {
    let mut history = History::default();
    for (minute, nodes, input, output, median_input, median_output) in line.samples {
        let (cheapest, median) = (Quote { input, output }, Quote { input: median_input, output: median_output });
        history.push(Sample { minute, nodes, cheapest, median });
    }
    (line.model, history)
}

pub(super) fn write(path: &Path, models: &HashMap<String, History>) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    let mut writer = BufWriter::new(file.as_file_mut());
    for (model, history) in models {
        let samples = history.samples().map(|Sample { minute, nodes, cheapest, median }| {
            (*minute, *nodes, cheapest.input, cheapest.output, median.input, median.output)
        });
        let line = Line { model: model.clone(), samples: samples.collect() };
        serde_json::to_writer(&mut writer, &line)?;
        writer.write_all(b"\n")?;
    }
    writer.flush()?;
    drop(writer);
    file.persist(path)?;
    Ok(())
}
