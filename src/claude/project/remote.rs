//! Git remote addresses as identities.

/// The longest address that is taken for an identity, in bytes. Real ones are below 300.
const URL_BYTES_MAX: usize = 2048;

/// What an address says about which repository it is: `host/path`, the same for every way of
/// reaching it. `None` for a local path, which says nothing beyond its machine, and for what
/// cannot be understood with certainty.
///
/// - User name, password, query and fragment are dropped. An `@` behind the first
///   slash is refused, since what stands before it may be the rest of a password that was not
///   percent-encoded.
/// - The port is dropped. It says how a server is reached, not which repository is meant: the same
///   repository has another port over ssh than over https, and addresses like `git@host:path`
///   cannot carry one.
/// - The whole path is in lower case, like the host. The common forges do not tell repositories
///   apart by case, and people type both; two repositories that differ only in case are not known
///   to exist on one server, and clones that disagree are.
/// - A closing `.git` and superfluous slashes are dropped.
pub(super) fn identity(url: &str) -> Option<String> {
    let url = url.trim();
    if url.len() > URL_BYTES_MAX || url.chars().any(char::is_control) {
        return None;
    }
    let (authority, path) = match url.split_once("://") {
        Some((scheme, rest)) => split_url(scheme, rest)?,
        None => split_scp(url)?,
    };
    Some(format!("{}/{}", host(authority)?, repository(path)?))
}

/// Splits what follows `scheme://` into authority and path.
fn split_url<'a>(scheme: &str, rest: &'a str) -> Option<(&'a str, &'a str)> {
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    if !is_scheme || scheme.eq_ignore_ascii_case("file") {
        return None;
    }
    rest.split_once('/')
}

/// Splits `user@host:path`, as scp writes it, into authority and path. A colon behind a slash
/// belongs to a local path, and so does one behind a single letter: a drive.
fn split_scp(url: &str) -> Option<(&str, &str)> {
    let (authority, path) = match url.split_once("]:") {
        // `[host:port]:path` has the brackets around all of it, `user@[::1]:path` around the host.
        Some((bracketed, path)) if !bracketed.contains('/') => {
            let inside = bracketed.strip_prefix('[');
            match inside.filter(|inside| inside.matches(':').count() <= 1) {
                Some(inside) => (inside, path),
                None => (url.strip_suffix(path)?.strip_suffix(':')?, path),
            }
        }
        _ => url.split_once(':')?,
    };
    let is_local = authority.contains('/') || authority.chars().count() < 2;
    // `name::address` asks for a program of that name, which may do anything with the address.
    (!is_local && !path.starts_with(':')).then_some((authority, path))
}

fn host(authority: &str) -> Option<String> {
    let (_, host_port) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = match host_port
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((address, port)) => {
            let is_address = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
            if address.is_empty() || !address.chars().all(is_address) {
                return None;
            }
            (
                format!("[{address}]"),
                port.strip_prefix(':').unwrap_or(port),
            )
        }
        None => {
            let (host, port) = host_port.split_once(':').unwrap_or((host_port, ""));
            let host = host.strip_suffix('.').unwrap_or(host);
            let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
            if host.is_empty() || !host.chars().all(is_name) {
                return None;
            }
            (host.to_owned(), port)
        }
    };
    // Anything else was not a port but perhaps a password.
    let is_port = port.chars().all(|c| c.is_ascii_digit());
    is_port.then(|| host.to_lowercase())
}

fn repository(path: &str) -> Option<String> {
    if path.contains('@') {
        return None;
    }
    let path = path.split(['?', '#']).next()?.to_lowercase();
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    (!parts.is_empty() && !parts.contains(&"..")).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_reaching_a_repository_gives_one_identity() {
        for url in [
            "git@github.com:Acme/Shop.git",
            "github.com:acme/shop",
            "git@github.com:/acme/shop.git",
            "[git@github.com:22]:acme/shop",
            "https://github.com/Acme/Shop",
            "https://user:tok@github.com/Acme/Shop",
            "https://user:t@k@GitHub.com/acme/shop.git",
            "HTTPS://github.com.:443/acme//shop.GIT/",
            "http://github.com:8080/acme/shop?token=s3cret#x",
            "ssh://git@github.com:22/acme/shop.git/",
            "ssh://git@github.com:2222/./acme/shop/.git",
            "git+ssh://git@github.com/acme/shop",
            "git://github.com/acme/shop",
            "  https://github.com/acme/shop.git \n",
        ] {
            assert_eq!(
                identity(url).as_deref(),
                Some("github.com/acme/shop"),
                "{url}"
            );
        }
    }

    #[test]
    fn other_repositories_stay_apart() {
        for (url, expected) in [
            (
                "https://github.com/acme/shop-web",
                "github.com/acme/shop-web",
            ),
            ("https://gitlab.com/a/b/c/d.git", "gitlab.com/a/b/c/d"),
            ("work:shop", "work/shop"),
            ("git@[::1]:acme/shop.git", "[::1]/acme/shop"),
            ("[::1]:acme/shop.git", "[::1]/acme/shop"),
            ("ssh://git@[FE80::1]:2222/acme/shop", "[fe80::1]/acme/shop"),
            ("ssh://host/~Dev/shop.git", "host/~dev/shop"),
            (
                "https://\u{4f8b}.cn/\u{56e2}\u{961f}/\u{5546}\u{5e97}.git",
                "\u{4f8b}.cn/\u{56e2}\u{961f}/\u{5546}\u{5e97}",
            ),
        ] {
            assert_eq!(identity(url).as_deref(), Some(expected), "{url}");
        }
    }

    #[test]
    fn local_paths_and_riddles_are_no_identity() {
        for url in [
            "",
            "/srv/git/shop.git",
            "../shop",
            "./a:b",
            "~/shop",
            "shop",
            "C:\\work\\shop",
            "C:/work/shop",
            "file:///srv/git/shop.git",
            "FILE://host/srv/shop.git",
            "https://github.com",
            "https://github.com/",
            "https://github.com/.git",
            "https:///acme/shop",
            "ssh://-oProxy=x/acme/shop",
            "ext::sh -c whatever",
            "hg::https://host/x",
            "git@host:",
            "https://host/a/../b",
            "https://host/a\u{0}b",
            "https://ho st/a",
            "ssh://[::1/acme",
        ] {
            assert_eq!(identity(url), None, "{url}");
        }
        assert_eq!(
            identity(&format!("https://host/{}", "a".repeat(URL_BYTES_MAX))),
            None
        );
    }

    #[test]
    fn no_part_of_a_password_ever_shows() {
        for url in [
            "https://user:s3/cret@host/acme/shop",
            "https://user:123/s3cret@host/acme/shop",
            "https://s3/cret@host/acme/shop",
            "https://user:1/s3?cret@host/acme/shop",
            "https://user:1/s3#cret@host/acme/shop",
            "https://s3?cret@host/acme/shop",
            "https://user:s3#cret@host/acme/shop",
            "https://user:s3?cret@host/acme/shop",
            "https://user:s3:cret@host/acme/shop",
            "user:s3cret@host:acme/shop",
            "https://:s3cret@host/acme/shop",
        ] {
            let identity = identity(url).unwrap_or_default();
            assert!(
                !identity.contains("s3") && !identity.contains("cret"),
                "{url}: {identity}"
            );
            assert!(
                identity.is_empty() || identity == "host/acme/shop",
                "{url}: {identity}"
            );
        }
    }
}
