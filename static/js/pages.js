// Pages of this server, to take something out of.

/**
 * The page at `path` as the server makes it now; null where there is none, or the server cannot be reached.
 *
 * The browser parses it as it comes: no text becomes markup here, which the page's policy (trusted types) forbids.
 */
export function pageAt(path) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", path);
    request.setRequestHeader("Cache-Control", "no-store");
    request.setRequestHeader("Accept", "text/html");
    request.setRequestHeader("X-Requested-With", "XMLHttpRequest"); // it is not shown: what is said once stays
    request.responseType = "document";
    request.onloadend = () => resolve(request.status === 200 ? request.response : null);
    request.send();
  });
}
