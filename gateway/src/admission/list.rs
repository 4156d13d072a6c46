//! The file of known nodes: a line each, `<peer id> [operator] [# comment]`.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use peerway_p2p::PeerId;
use serde::Serialize;

/// Bytes of an operator's name, as adverts have it.
const MAX_OPERATOR: usize = 64;

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ListError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// A known node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its peer id.
    #[serde(serialize_with = "as_text")]
    pub node: PeerId,
    /// The operator that it is bound to. None: to none.
    pub operator: Option<String>,
    /// What somebody wrote beside it.
    pub comment: Option<String>,
}

fn as_text<S: serde::Serializer>(node: &PeerId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(node)
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    Node(Entry),
    /// An empty line or a comment, kept as it is.
    Other(String),
}

/// The known nodes, with everything else that the file says to people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeList(Vec<Line>);

impl NodeList {
    /// The known nodes, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().filter_map(|line| if let Line::Node(entry) = line { Some(entry) } else { None })
    }

    /// Adds a node, or binds a known one anew. What somebody wrote beside it stays.
    pub fn allow(&mut self, node: PeerId, operator: Option<String>) {
        let known = self.0.iter_mut().find_map(|line| match line {
            Line::Node(entry) if entry.node == node => Some(entry),
            _ => None,
        });
        match known {
            Some(entry) => entry.operator = operator,
            None => self.0.push(Line::Node(Entry { node, operator, comment: None })),
        }
    }

    /// Takes a node out. False where it is not there.
    pub fn disallow(&mut self, node: PeerId) -> bool {
        let before = self.0.len();
        self.0.retain(|line| !matches!(line, Line::Node(entry) if entry.node == node));
        self.0.len() < before
    }
}

/// Reads an operator's name.
///
/// # Errors
/// What is wrong with it.
pub fn operator(name: &str) -> Result<String, String> {
    let fits = !name.is_empty() && name.len() <= MAX_OPERATOR;
    if fits && name.chars().all(|letter| letter.is_ascii_graphic() && letter != '#') {
        return Ok(name.to_owned());
    }
    Err(format!("`{name}` is no operator; it has 1 to {MAX_OPERATOR} letters without spaces or `#`"))
}

impl FromStr for NodeList {
    type Err = ListError;

    fn from_str(text: &str) -> Result<Self, ListError> {
        let (mut lines, mut seen) = (Vec::new(), HashSet::new());
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = |reason: String| ListError { line: number, reason };
            let (content, comment) = line
                .split_once('#')
                .map_or((line, None), |(content, comment)| (content, Some(comment.trim().to_owned())));
            let mut words = content.split_whitespace();
            let Some(first) = words.next() else {
                lines.push(Line::Other(line.to_owned()));
                continue;
            };
            let node = first.parse().map_err(|_| wrong(format!("`{first}` is no peer id")))?;
            let operator = words.next().map(operator).transpose().map_err(wrong)?;
            if let Some(more) = words.next() {
                return Err(wrong(format!("`{more}` is one word too many; a comment begins with `#`")));
            }
            if !seen.insert(node) {
                return Err(wrong(format!("{node} is there twice")));
            }
            lines.push(Line::Node(Entry { node, operator, comment }));
        }
        Ok(Self(lines))
    }
}

impl fmt::Display for NodeList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.0 {
            match line {
                Line::Other(text) => write!(formatter, "{text}")?,
                Line::Node(Entry { node, operator, comment }) => {
                    write!(formatter, "{node}")?;
                    operator.iter().try_for_each(|operator| write!(formatter, " {operator}"))?;
                    comment.iter().try_for_each(|comment| write!(formatter, " # {comment}"))?;
                }
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_written_with_all_that_it_says_to_people() {
        let (one, two) = (PeerId::random(), PeerId::random());
        let text = format!("# Our nodes\n\n{one} alice # the box under the desk\n{two}\n");
        let mut list: NodeList = text.parse().unwrap();
        assert_eq!(list.to_string(), text);
        let operators: Vec<_> = list.entries().map(|entry| entry.operator.as_deref()).collect();
        assert_eq!(operators, [Some("alice"), None]);
        list.allow(one, Some("bob".to_owned()));
        assert!(list.disallow(two) && !list.disallow(two));
        assert_eq!(list.to_string(), format!("# Our nodes\n\n{one} bob # the box under the desk\n"));
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        let node = PeerId::random();
        for (text, line, word) in [
            ("# x\nnode7".to_owned(), 2, "node7"),
            (format!("{node} two words"), 1, "words"),
            (format!("{node}\n{node} a"), 2, "twice"),
            (format!("{node} {}", "o".repeat(65)), 1, "operator"),
        ] {
            let error = text.parse::<NodeList>().unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(error.reason.contains(word), "{error}");
        }
    }
}
