//! One page of a list, and where the next begins (RFC 8288 `Link`).

use reqwest::header::{HeaderMap, LINK};
use url::Url;

/// Which page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// At most this many; the server's default where absent, and never more than its 500.
    pub limit: Option<u32>,
    /// From [`Page::next`] of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// The first page, of at most `limit`.
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self {
            limit: Some(limit),
            cursor: None,
        }
    }

    pub(crate) fn pairs(&self) -> Vec<(&'static str, String)> {
        let limit = self.limit.map(|limit| ("limit", limit.to_string()));
        let cursor = self.cursor.clone().map(|cursor| ("cursor", cursor));
        limit.into_iter().chain(cursor).collect()
    }
}

/// One page of a list, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` on the last.
    pub next: Option<String>,
}

/// The cursor in the `rel="next"` link, if there is one.
pub(crate) fn next_cursor(headers: &HeaderMap, base: &Url) -> Option<String> {
    headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|link| {
            let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
            let is_next = parameters
                .split(';')
                .any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"));
            if !is_next {
                return None;
            }
            let url = base.join(target).ok()?;
            url.query_pairs()
                .find(|(key, _)| key == "cursor")
                .map(|(_, value)| value.into_owned())
        })
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue, LINK};
    use url::Url;

    #[test]
    fn the_cursor_is_read_from_the_next_link_alone() {
        let base = Url::parse("http://127.0.0.1:8080/").unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(super::next_cursor(&headers, &base), None);
        headers.insert(
            LINK,
            HeaderValue::from_static(
                "</blocks?cursor=a>; rel=\"prev\", </blocks?limit=2&cursor=b%2F1>; rel=\"next\"",
            ),
        );
        assert_eq!(super::next_cursor(&headers, &base).as_deref(), Some("b/1"));
        headers.insert(LINK, HeaderValue::from_static("<<<>;;,\"rel=next"));
        assert_eq!(super::next_cursor(&headers, &base), None);
    }
}
