"use strict";
// Looks for the number that solves the puzzle, a part at a time so that the page stays
// alive, and comes back with it. SHA-256 is written out (FIPS 180-4), for a browser gives
// its own to pages of HTTPS alone.
(() => {
  const d = document.documentElement.dataset, zero = +d.bits;
  const K = new Uint32Array(64), start = new Uint32Array(8);
  for (let n = 2, i = 0; i < 64; n++) {
    let prime = true;
    for (let f = 2; f * f <= n; f++) if (n % f === 0) prime = false;
    if (!prime) continue;
    const part = (x) => Math.floor((x - Math.floor(x)) * 4294967296);
    if (i < 8) start[i] = part(Math.sqrt(n));
    K[i++] = part(Math.cbrt(n));
  }
  const W = new Uint32Array(64), rot = (x, n) => (x >>> n) | (x << (32 - n));
  // One block is enough: the puzzle's 32 characters, a colon and at most 20 digits.
  const first = (text) => {
    W.fill(0);
    for (let i = 0; i < text.length; i++) W[i >> 2] |= text.charCodeAt(i) << (24 - 8 * (i & 3));
    W[text.length >> 2] |= 128 << (24 - 8 * (text.length & 3));
    W[15] = text.length * 8;
    for (let i = 16; i < 64; i++) {
      const a = W[i - 15], b = W[i - 2];
      W[i] = W[i - 16] + (rot(a, 7) ^ rot(a, 18) ^ (a >>> 3)) + W[i - 7] + (rot(b, 17) ^ rot(b, 19) ^ (b >>> 10));
    }
    let [a, b, c, e0, e, f, g, h] = start;
    for (let i = 0; i < 64; i++) {
      const t = (h + (rot(e, 6) ^ rot(e, 11) ^ rot(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
      const u = ((rot(a, 2) ^ rot(a, 13) ^ rot(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (e0 + t) | 0; e0 = c; c = b; b = a; a = (t + u) | 0;
    }
    return (start[0] + a) >>> 0;
  };
  // Whoever does not keep the cookie, or is somebody else each time it comes back, would
  // solve one puzzle after another. It is told so instead: at once where the cookie is
  // not kept, and after three puzzles within a minute where it is of no use.
  const give = () => { document.getElementById("kept").hidden = false; };
  let back = 0;
  try {
    const [at, times] = (sessionStorage.getItem("moonwatch") || "0 0").split(" ").map(Number);
    back = Date.now() - at < 60000 ? times : 0;
    if (back < 3) sessionStorage.setItem("moonwatch", Date.now() + " " + (back + 1));
  } catch { /* no storage: then no cookies either, as a rule */ }
  if (back >= 3) return give();
  let n = 0;
  const work = () => {
    for (const last = n + 4000; n < last; n++) {
      if (Math.clz32(first(d.puzzle + ":" + n)) >= zero) {
        const pass = "moonwatch_pass=" + d.end + "." + n;
        document.cookie = pass + "; path=/; samesite=lax; max-age=" + d.for;
        if (!document.cookie.split("; ").includes(pass)) return give();
        location.reload();
        return;
      }
    }
    setTimeout(work, 0);
  };
  setTimeout(() => { document.getElementById("slow").hidden = false; }, 8000);
  work();
})();
