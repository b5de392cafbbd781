use std::{fmt, str::FromStr};

use super::VideoId;

/// Longest text that is looked at, in bytes.
const MAX_TEXT: usize = 2_048;

/// Longest code of a short link. Those seen have nine characters.
const MAX_CODE: usize = 64;

/// What a caller may name a video by: its id, the address of its page in any of the forms that are
/// about, or a short link, of which only TikTok knows where it leads.
///
/// The text is read here by hand, strictly: where a browser guesses (`https:\\…`, tabs, letters
/// that look like others, `%2E` in a host) there is nothing to gain from guessing alike. What is asked
/// of TikTok afterwards is put together anew, from the id or the code alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VideoAddress {
    /// The video itself.
    Video(VideoId),
    /// A link that leads to it.
    ShortLink(ShortLink),
}

/// A short link of TikTok: its host and code, nothing else of what was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ShortLink {
    host: ShortHost,
    code: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ShortHost {
    Vm,
    Vt,
    /// `www.tiktok.com/t/`, under the other names of that host too.
    Www,
    /// `lite.tiktok.com/t/`, which TikTok Lite hands out.
    Lite,
}

/// The text names no video. Says what is accepted, and never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Neither an id nor a web address.
    #[error(
        "must be a TikTok video's id or address, such as 7301234567890123456, \
         https://www.tiktok.com/@name/video/7301234567890123456 or a short link of vm.tiktok.com"
    )]
    NotAnAddress,
    /// An address of somebody else, or one that hides whose it is.
    #[error(
        "must be an address on www.tiktok.com, m.tiktok.com, t.tiktok.com, lite.tiktok.com, vm.tiktok.com, \
         vt.tiktok.com or www.tiktokv.com"
    )]
    NotTikTok,
    /// A page of TikTok that is no video's.
    #[error(
        "must be the address of a video, such as \
         https://www.tiktok.com/@name/video/7301234567890123456"
    )]
    NotAVideo,
    /// The page of something else: a user, a sound, a tag, a search.
    #[error("must be the address of a video, not of a user, a sound, a tag or a search")]
    OtherPage,
}

impl FromStr for VideoAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let text = pasted(text);
        if text.len() > MAX_TEXT {
            return Err(InvalidAddress::NotAnAddress);
        }
        if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) {
            return text.parse().map(Self::Video).map_err(|_| InvalidAddress::NotAnAddress);
        }
        Self::read(text)
    }
}

impl VideoAddress {
    /// Reads an address of whatever length.
    pub(super) fn read(text: &str) -> Result<Self, InvalidAddress> {
        if text.contains(|it: char| it.is_control() || it.is_whitespace() || it == '\\') {
            return Err(InvalidAddress::NotAnAddress);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, text),
        };
        // Nothing is ever asked over plain HTTP: such an address names the same video.
        let port = match scheme.map(str::to_ascii_lowercase).as_deref() {
            None | Some("https") => ":443",
            Some("http") => ":80",
            Some(_) => return Err(InvalidAddress::NotAnAddress),
        };
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let name = authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase();
        let unknown = match scheme {
            Some(_) => InvalidAddress::NotTikTok,
            None => InvalidAddress::NotAnAddress,
        };
        let host = Host::of(&name).ok_or(unknown)?;
        let (rest, _) = rest.split_once('#').unwrap_or((rest, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let segments: Vec<&str> = path.trim_end_matches('/').split('/').skip(1).collect();
        named(host, &segments, query)
    }
}

/// `text` without what stands around an address in a sentence or a mail: `<…>`, brackets, quotation marks, the
/// punctuation after it. None of it can be part of a host, nor the end of a code or an id. Dots after a slash
/// are a path, and stay.
fn pasted(text: &str) -> &str {
    let bare = text.trim().trim_start_matches(['<', '(', '[', '"', '\'', '“', '‘', '«']);
    let end = bare.trim_end_matches([
        '>', ')', ']', '"', '\'', '”', '’', '»', '.', ',', ';', ':', '!', '?', '…',
    ]);
    if end.ends_with('/') && bare[end.len()..].starts_with("..") { bare } else { end }
}

fn is_scheme(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_alphanumeric() || b"+-.".contains(&it))
}

#[derive(Clone, Copy)]
enum Host {
    /// `www.`, `m.` and the bare name.
    Main,
    /// TikTok Lite's.
    Lite,
    /// `t.`, where links of TikTok Lite lead, and a region's, of two letters: pages, and no links.
    Pages,
    /// Of short links; `vm.` and `vt.`.
    Short(ShortHost),
    /// `tiktokv.com`, where the app's shares lead.
    Shares,
}

impl Host {
    fn of(name: &str) -> Option<Self> {
        match name {
            "www.tiktok.com" | "m.tiktok.com" | "tiktok.com" => Some(Self::Main),
            "lite.tiktok.com" => Some(Self::Lite),
            "t.tiktok.com" => Some(Self::Pages),
            "vm.tiktok.com" => Some(Self::Short(ShortHost::Vm)),
            "vt.tiktok.com" => Some(Self::Short(ShortHost::Vt)),
            "www.tiktokv.com" | "tiktokv.com" => Some(Self::Shares),
            _ => {
                let region = name.strip_suffix(".tiktok.com")?;
                let is_region =
                    region.len() == 2 && region.bytes().all(|it| it.is_ascii_lowercase());
                is_region.then_some(Self::Pages)
            }
        }
    }
}

/// What is named by a path and a query on one of the hosts.
fn named(host: Host, segments: &[&str], query: &str) -> Result<VideoAddress, InvalidAddress> {
    let id = match (host, segments) {
        (_, ["share", "video", id] | ["i18n", "share", "video", id]) => id,
        (Host::Shares, _) => return Err(InvalidAddress::NotAVideo),
        (Host::Short(host), [code]) => return short(host, code),
        (Host::Main, ["t", code]) => return short(ShortHost::Www, code),
        (Host::Lite, ["t", code]) => return short(ShortHost::Lite, code),
        (_, [user, "video" | "photo", id]) if is_user(user) => id,
        (_, ["embed", id] | ["embed", "v2", id] | ["player", "v1", id]) => id,
        (_, ["v", id]) => id.strip_suffix(".html").unwrap_or(id),
        (_, ["share", "user", ..] | ["h5", "share", "usr", ..]) => {
            return Err(InvalidAddress::OtherPage);
        }
        (_, ["music" | "tag" | "search" | "discover" | "live" | "sticker" | "effect", ..]) => {
            return Err(InvalidAddress::OtherPage);
        }
        (_, [user, ..]) if is_user(user) => return Err(InvalidAddress::OtherPage),
        _ => in_query(query)?,
    };
    id.parse().map(VideoAddress::Video).map_err(|_| InvalidAddress::NotAVideo)
}

/// A user may be anything, and nothing: only the id counts, and an app that does not know the user
/// writes `@` or `@_`.
fn is_user(segment: &str) -> bool {
    segment.starts_with('@') || segment.starts_with("%40")
}

/// The video that a feed is opened at. Two that differ name none.
fn in_query(query: &str) -> Result<&str, InvalidAddress> {
    let pairs = query.split('&').filter_map(|it| it.split_once('='));
    let mut ids = pairs.filter(|(name, _)| matches!(*name, "item_id" | "shareId")).map(|it| it.1);
    let id = ids.next().ok_or(InvalidAddress::NotAVideo)?;
    if ids.all(|it| it == id) { Ok(id) } else { Err(InvalidAddress::NotAVideo) }
}

fn short(host: ShortHost, code: &str) -> Result<VideoAddress, InvalidAddress> {
    let fits = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
    if code.is_empty() || code.len() > MAX_CODE || !code.bytes().all(fits) {
        return Err(InvalidAddress::NotAVideo);
    }
    Ok(VideoAddress::ShortLink(ShortLink { host, code: code.to_owned() }))
}

impl ShortLink {
    /// A name for what is remembered about the link, of letters, digits, `.`, `-` and `_`. Upper and
    /// lower case stay apart, as they do in codes.
    pub fn cache_name(&self) -> String {
        let host = match self.host {
            ShortHost::Vm => "vm",
            ShortHost::Vt => "vt",
            ShortHost::Www => "t",
            ShortHost::Lite => "lite",
        };
        format!("{host}.{}", self.code)
    }
}

/// The one address of the link, over TLS.
impl fmt::Display for ShortLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match self.host {
            ShortHost::Vm => "vm.tiktok.com",
            ShortHost::Vt => "vt.tiktok.com",
            ShortHost::Www => "www.tiktok.com/t",
            ShortHost::Lite => "lite.tiktok.com/t",
        };
        write!(f, "https://{host}/{}", self.code)
    }
}

#[cfg(test)]
mod tests;
