/** To which version the data of a server may go: Reference Manual, "Upgrade Paths" and "Downgrade Paths". */

type Version = readonly [major: number, minor: number, patch: number | null];

/** What a tag that names a version begins with, as in `mysql:8.4.3-oracle`; a digest behind it says nothing. */
const TAGGED = /:(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?[^/:]*$/;
const PLAIN = /^(\d+)\.(\d+)(?:\.(\d+))?/;

function versionIn(text: string, form: RegExp): Version | null {
  const [, major, minor, patch] = form.exec(text) ?? [];
  if (major === undefined || minor === undefined) return null;
  return [Number(major), Number(minor), patch === undefined ? null : Number(patch)];
}

function isOlder([major, minor, patch]: Version, than: Version): boolean {
  if (major !== than[0]) return major < than[0];
  if (minor !== than[1]) return minor < than[1];
  return patch !== null && than[2] !== null && patch < than[2];
}

/** The long-term release that comes in between and cannot be left out; null = none. */
function leftOut([major, minor]: Version, to: Version): string | null {
  if (major === 8 && minor < 4 && to[0] > 8) return "8.4";
  return to[0] > major + 1 ? `the long-term release of ${major + 1}` : null;
}

/** Why servers of this version cannot go on with this image, and what to do; null = they can, or its tag does not say. */
export function refusesImage(version: string, image: string): string | null {
  const [name = ""] = image.split("@");
  const [from, to] = [versionIn(version, PLAIN), versionIn(name, TAGGED)];
  if (from === null || to === null) return null;
  if (isOlder(to, from))
    return `${name} is older than the servers, which are MySQL ${version}, and MySQL does not go back; put the image back`;
  const between = leftOut(from, to);
  if (between === null) return null;
  return `the servers are MySQL ${version}, and ${name} leaves out ${between}; go there first`;
}
