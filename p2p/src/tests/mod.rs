//! Whole peers on the loopback interface, over both transports.

mod hostile;
mod http;
mod links;
mod meeting;
mod support;
