/**
 * SHA-256 as lower-case hexadecimal text, as the server's own SHA2() prints it. It says whether two things
 * are the same, and nothing of what they are.
 */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
