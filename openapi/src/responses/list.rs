//! Pages of items.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::InputItem;
use crate::ApiError;

/// The most items of one page, as OpenAI has it.
const MAX_PAGE: usize = 100;

/// The items of a conversation, one page of them.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ItemList {
    /// Always `list`.
    pub object: String,
    /// The items.
    pub data: Vec<InputItem>,
    /// The first one's id. Null on an empty page.
    pub first_id: Option<String>,
    /// The last one's id: the next page comes after it. Null on an empty page.
    pub last_id: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

/// Which items come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The oldest.
    Asc,
    /// The newest.
    #[default]
    Desc,
}

impl ItemList {
    /// The page after an item, or the first. `items` are in the order of the conversation, each with an id.
    ///
    /// # Errors
    /// `InvalidRequest` where `after` is none of them, or `limit` not 1 to 100.
    pub fn page(items: Vec<InputItem>, after: Option<&str>, limit: usize, order: Order) -> Result<Self, ApiError> {
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(ApiError::invalid("limit", format!("limit is {limit}; it must be 1 to {MAX_PAGE}.")));
        }
        let mut items = items;
        if order == Order::Desc {
            items.reverse();
        }
        let start = match after {
            None => 0,
            Some(after) => match items.iter().position(|item| item.id() == Some(after)) {
                Some(place) => place + 1,
                None => return Err(ApiError::invalid("after", format!("No item has the id `{after}`."))),
            },
        };
        let has_more = items.len() - start > limit;
        let data: Vec<_> = items.into_iter().skip(start).take(limit).collect();
        let id_of = |item: Option<&InputItem>| item.and_then(InputItem::id).map(str::to_owned);
        let (first_id, last_id) = (id_of(data.first()), id_of(data.last()));
        Ok(Self { object: "list".to_owned(), data, first_id, last_id, has_more })
    }
}
