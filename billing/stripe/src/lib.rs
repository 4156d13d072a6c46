//! What Peerway asks of Stripe, and what it believes of its answers.
