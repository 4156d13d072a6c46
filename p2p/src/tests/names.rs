//! Gateways that are named by DNS: a `/dnsaddr` stands for the addresses that its TXT records tell.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use libp2p::{Multiaddr, PeerId};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::support::{PATIENCE, TCP, TRANSPORTS, gateway};
use crate::network::{self, NetworkConfig, Started};
use crate::parse_multiaddr;
use crate::streams::StreamLimits;
use crate::{GatewayPeer, Identity};

/// A DNS server that answers each question for TXT records of this name with these texts, and others with nothing.
async fn name_server(name: &'static str, texts: Vec<String>) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, asker)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&answer(&buffer[..length], name, &texts), asker).await;
        }
    });
    address
}

/// RFC 1035, sections 4.1 and 3.3.14.
fn answer(query: &[u8], name: &str, texts: &[String]) -> Vec<u8> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8(query[at + 1..=at + length].to_vec()).unwrap().to_lowercase());
        at += 1 + length;
    }
    let question = &query[12..at + 5];
    let is_text = query[at + 1..at + 3] == [0, 16];
    let texts = if is_text && labels.join(".") == name { texts } else { &[] };
    let count = u8::try_from(texts.len()).unwrap();
    let mut answer = [&query[..2], &[0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0], question].concat();
    for text in texts {
        let length = u8::try_from(text.len()).unwrap();
        // The name of the question, TXT, IN, a minute, and one string.
        answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, length + 1, length]);
        answer.extend(text.as_bytes());
    }
    answer
}

async fn dialler(server: SocketAddr) -> Started {
    let mut server_config = NameServerConfig::udp(IpAddr::V4(Ipv4Addr::LOCALHOST));
    server_config.connections[0].port = server.port();
    let resolver = Some(ResolverConfig::from_parts(None, Vec::new(), vec![server_config]));
    let config = NetworkConfig { resolver, ..NetworkConfig::dialling(StreamLimits::default(), Vec::new()) };
    network::start(&Identity::generate(), config).await.unwrap()
}

fn told(addresses: &[Multiaddr]) -> Vec<String> {
    addresses.iter().map(|address| format!("dnsaddr={address}")).collect()
}

#[tokio::test]
async fn a_dnsaddr_leads_to_the_gateway_that_it_stands_for() {
    for transport in TRANSPORTS {
        let gateway = gateway(transport).await;
        let server = name_server("_dnsaddr.gateway.test", told(&gateway.addresses())).await;
        let dialler = dialler(server).await;
        let address = parse_multiaddr("/dnsaddr/gateway.test").unwrap();
        let reached = timeout(PATIENCE, dialler.network.dial(None, vec![address])).await.unwrap();
        assert_eq!(reached, Ok(gateway.peer_id()), "{transport}");
    }
}

#[tokio::test]
async fn of_many_gateways_behind_a_name_the_one_is_reached_that_the_address_names() {
    let gateways = [gateway(TCP).await, gateway(TCP).await];
    let all: Vec<Multiaddr> = gateways.iter().flat_map(GatewayPeer::addresses).collect();
    let dialler = dialler(name_server("_dnsaddr.gateway.test", told(&all)).await).await;
    for gateway in &gateways {
        let peer = gateway.peer_id();
        let address = parse_multiaddr(&format!("/dnsaddr/gateway.test/p2p/{peer}")).unwrap();
        assert_eq!(dialler.network.dial(Some(peer), vec![address]).await, Ok(peer));
    }
    let nobody = PeerId::random();
    let address = parse_multiaddr(&format!("/dnsaddr/gateway.test/p2p/{nobody}")).unwrap();
    assert!(dialler.network.dial(Some(nobody), vec![address]).await.is_err());
}
