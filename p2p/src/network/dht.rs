//! A Kademlia DHT of our own, in which gateways are found.
//!
//! It holds one key, whose providers are gateways. Gateways and bootstraps serve it; nodes only ask. Whoever provides the
//! key tells where it is, and that is what others are told of it: no address is guessed from a connection. Nodes are not
//! in it: they are many and short-lived, and a provider record for each would be lies within minutes.
//!
//! What is stored is bounded: no records, no other key, few providers with few addresses each. A provider proves nothing
//! but its peer id. Who is found is dialled, and is a gateway only if it then speaks as one.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use libp2p::kad::store::{MemoryStore, MemoryStoreConfig, RecordStore};
use libp2p::kad::{
    self, BucketInserts, GetClosestPeersError, GetClosestPeersOk, GetProvidersOk, InboundRequest, Mode, ProviderRecord,
    QueryId, QueryResult, RecordKey, StoreInserts,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use tracing::debug;

use super::Finding;

/// The protocol's name. Peers that do not speak it, such as those of the public DHT, are not talked to.
const PROTOCOL: StreamProtocol = StreamProtocol::new("/peerway/kad/1");
/// What gateways provide.
const GATEWAYS_KEY: &[u8] = b"/peerway/gateways";
/// A gateway that does not provide the key again is forgotten after this time. Gateways do so every few minutes.
const PROVIDER_TTL: Duration = Duration::from_secs(15 * 60);
/// Gateways that one peer remembers.
const MAX_PROVIDERS: usize = 64;
/// Addresses of one gateway.
const MAX_ADDRESSES: usize = 8;
/// Time for one query.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of one message.
const MAX_PACKET: usize = 16 << 10;
/// Queries that are under way at a time; a search that finds more gateways leaves some for the next one.
const MAX_QUERIES: usize = 96;

/// The swarm's part.
pub(super) type Behaviour = kad::Behaviour<MemoryStore>;

/// Whether a peer serves the DHT or only asks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DhtRole {
    /// It answers others.
    Server,
    /// It only asks.
    Client,
}

/// How a peer takes part.
#[derive(Debug, Clone)]
pub(crate) struct DhtConfig {
    pub(crate) role: DhtRole,
    /// Where it begins.
    pub(crate) bootstraps: Vec<(PeerId, Multiaddr)>,
}

pub(super) fn behaviour(peer: PeerId, config: &DhtConfig) -> Behaviour {
    let bounds = MemoryStoreConfig {
        max_records: 0,
        max_value_bytes: 0,
        max_providers_per_key: MAX_PROVIDERS,
        max_provided_keys: 1,
    };
    let mut settings = kad::Config::new(PROTOCOL);
    settings
        .set_kbucket_inserts(BucketInserts::Manual)
        .set_record_filtering(StoreInserts::FilterBoth)
        .set_provider_record_ttl(Some(PROVIDER_TTL))
        // The gateway does it itself, and more often when it has just started.
        .set_provider_publication_interval(None)
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_caching(kad::Caching::Disabled)
        .set_query_timeout(QUERY_TIMEOUT)
        .set_max_packet_size(MAX_PACKET);
    let mut kad = Behaviour::with_config(peer, MemoryStore::with_config(peer, bounds), settings);
    kad.set_mode(Some(match config.role {
        DhtRole::Server => Mode::Server,
        DhtRole::Client => Mode::Client,
    }));
    kad
}

/// What a query is for.
#[derive(Debug)]
enum Purpose {
    /// Who the gateways are.
    Who(HashSet<PeerId>),
    /// Where one of them is.
    Where(PeerId),
}

/// What this peer asks the DHT, and what it takes from others.
#[derive(Debug)]
pub(super) struct Dht {
    bootstraps: Vec<(PeerId, Multiaddr)>,
    queries: HashMap<QueryId, Purpose>,
}

impl Dht {
    pub(super) fn new(config: Option<DhtConfig>) -> Self {
        Self { bootstraps: config.map_or_else(Vec::new, |config| config.bootstraps), queries: HashMap::new() }
    }

    /// Tells others that this peer is a gateway.
    pub(super) fn provide(&self, kad: &mut Behaviour) {
        self.begin(kad);
        if let Err(error) = kad.start_providing(key()) {
            debug!(%error, "this gateway cannot be found in the DHT");
        }
    }

    /// Looks for gateways.
    pub(super) fn search(&mut self, kad: &mut Behaviour) {
        self.begin(kad);
        if self.queries.len() < MAX_QUERIES {
            self.queries.insert(kad.get_providers(key()), Purpose::Who(HashSet::new()));
        }
    }

    /// Those that could not be reached have been forgotten.
    fn begin(&self, kad: &mut Behaviour) {
        for (peer, address) in &self.bootstraps {
            kad.add_address(peer, address.clone());
        }
    }

    /// Takes what the DHT has to say. Gives back where gateways were found.
    pub(super) fn on_event(&mut self, kad: &mut Behaviour, event: kad::Event) -> Vec<Finding> {
        match event {
            // We dialled it there, and it speaks the protocol.
            kad::Event::RoutablePeer { peer, address } => {
                kad.add_address(&peer, address);
            }
            kad::Event::InboundRequest { request: InboundRequest::AddProvider { record: Some(record) } } => {
                take_provider(kad, record);
            }
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => {
                return self.on_result(kad, id, result, step.last);
            }
            _ => {}
        }
        Vec::new()
    }

    fn on_result(&mut self, kad: &mut Behaviour, id: QueryId, result: QueryResult, is_last: bool) -> Vec<Finding> {
        let Some(mut purpose) = self.queries.remove(&id) else { return Vec::new() };
        match (&mut purpose, result) {
            (Purpose::Who(found), QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { providers, .. }))) => {
                found.extend(providers.into_iter().take(MAX_PROVIDERS));
            }
            (
                Purpose::Where(gateway),
                QueryResult::GetClosestPeers(
                    Ok(GetClosestPeersOk { peers, .. }) | Err(GetClosestPeersError::Timeout { peers, .. }),
                ),
            ) => {
                let told = peers.into_iter().filter(|peer| peer.peer_id == *gateway).flat_map(|peer| peer.addrs);
                return findings(*gateway, told.chain(known_addresses(kad, *gateway)));
            }
            _ => {}
        }
        match purpose {
            Purpose::Who(found) if is_last => {
                for gateway in found {
                    if self.queries.len() < MAX_QUERIES {
                        let id = kad.get_closest_peers(gateway.to_bytes());
                        self.queries.insert(id, Purpose::Where(gateway));
                    }
                }
            }
            purpose if !is_last => {
                self.queries.insert(id, purpose);
            }
            _ => {}
        }
        Vec::new()
    }
}

fn key() -> RecordKey {
    RecordKey::new(&GATEWAYS_KEY)
}

/// Notes a gateway. The DHT has checked that it speaks for itself.
fn take_provider(kad: &mut Behaviour, mut record: ProviderRecord) {
    if record.key != key() {
        debug!(peer = %record.provider, "a peer provides a key that is not ours");
        return;
    }
    record.addresses.truncate(MAX_ADDRESSES);
    let (gateway, addresses) = (record.provider, record.addresses.clone());
    if kad.store_mut().add_provider(record).is_err() {
        return;
    }
    let known: HashSet<Multiaddr> = known_addresses(kad, gateway).into_iter().collect();
    let told = addresses.into_iter().filter_map(|address| address.with_p2p(gateway).ok()).collect::<HashSet<_>>();
    // Anew rather than besides: what a gateway tells never adds up.
    if known != told && !told.is_empty() {
        kad.remove_peer(&gateway);
        for address in told {
            kad.add_address(&gateway, address);
        }
    }
}

fn known_addresses(kad: &mut Behaviour, peer: PeerId) -> Vec<Multiaddr> {
    let Some(bucket) = kad.kbucket(peer) else { return Vec::new() };
    let entry = bucket.iter().find(|entry| *entry.node.key.preimage() == peer);
    entry.map_or_else(Vec::new, |entry| entry.node.value.iter().cloned().collect())
}

fn findings(gateway: PeerId, addresses: impl Iterator<Item = Multiaddr>) -> Vec<Finding> {
    let own = addresses.filter_map(|address| address.with_p2p(gateway).ok());
    own.take(MAX_ADDRESSES).map(|address| Finding::Found(gateway, address)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Behaviour {
        behaviour(PeerId::random(), &DhtConfig { role: DhtRole::Server, bootstraps: Vec::new() })
    }

    fn at(ports: std::ops::Range<u16>) -> Vec<Multiaddr> {
        ports.map(|port| format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap()).collect()
    }

    fn record(key: RecordKey, provider: PeerId, addresses: Vec<Multiaddr>) -> ProviderRecord {
        ProviderRecord { key, provider, expires: None, addresses }
    }

    #[test]
    fn what_a_gateway_tells_takes_the_place_of_what_it_told_before() {
        let (mut kad, gateway) = (server(), PeerId::random());
        for ports in [1..3, 3..4, 100..200] {
            let told = at(ports.clone());
            take_provider(&mut kad, record(key(), gateway, told.clone()));
            let mut known = known_addresses(&mut kad, gateway);
            known.sort();
            let expected = told.into_iter().take(MAX_ADDRESSES).map(|address| address.with_p2p(gateway).unwrap());
            assert_eq!(known, expected.collect::<Vec<_>>(), "{ports:?}");
            assert_eq!(kad.store_mut().providers(&key()).len(), 1);
        }
    }

    #[test]
    fn nothing_but_gateways_is_kept_and_few_of_them() {
        let mut kad = server();
        let foreign = RecordKey::new(b"something else");
        take_provider(&mut kad, record(foreign.clone(), PeerId::random(), at(1..2)));
        assert!(kad.store_mut().providers(&foreign).is_empty());
        for _ in 0..10 * MAX_PROVIDERS {
            take_provider(&mut kad, record(key(), PeerId::random(), at(1..2)));
        }
        assert_eq!(kad.store_mut().providers(&key()).len(), MAX_PROVIDERS);
        assert!(kad.store_mut().put(kad::Record::new(key(), b"x".to_vec())).is_err(), "a record was kept");
    }
}
