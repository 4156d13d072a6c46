//! Whole peers on the loopback interface, over both transports.

mod dht;
mod hostile;
mod http;
mod links;
mod meeting;
mod names;
mod support;
