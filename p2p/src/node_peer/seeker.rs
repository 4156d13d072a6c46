//! Looks for gateways in the DHT as long as there are fewer than there should be.

use std::time::Duration;

use tokio::time::sleep;

use super::status::StatusBoard;
use crate::backoff::Backoff;
use crate::network::Network;

/// After many searches that found too few. Looking costs a handful of messages.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Searches for ever.
pub(super) async fn seek(network: Network, board: StatusBoard, wanted: usize) {
    let mut status = board.watch();
    let mut backoff = Backoff::up_to(LONGEST_WAIT);
    let mut had = 0;
    loop {
        // The board outlives its watchers.
        let Ok(has) = status.wait_for(|status| status.gateways.len() < wanted).await.map(|now| now.gateways.len())
        else {
            return;
        };
        if has < had {
            backoff.reset();
        }
        had = has;
        network.search().await;
        tokio::select! {
            () = sleep(backoff.next()) => {}
            _ = status.wait_for(|status| status.gateways.len() < has) => {}
        }
    }
}
