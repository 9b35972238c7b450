// Keeps the page live: puts each new <main> in place of the old one, says how
// old times are, and says so when nothing is heard any more.
(() => {
  'use strict';
  const main = document.getElementById('main');
  const live = document.getElementById('live');
  const words = live.dataset; // the page knows its language, this does not
  const units = words.units.split('|');
  let seen = document.body.dataset.seen;
  let source, heard = 0, said = '', skew = 0, last = 0;

  const say = (text, lost) => {
    if (text !== said) live.textContent = said = text;
    document.body.classList.toggle('lost', lost);
  };

  const span = (ms) => {
    const s = Math.abs(ms) / 1000;
    const [n, unit] = s < 60 ? [s, 0] : s < 3600 ? [s / 60, 1] : s < 172800 ? [s / 3600, 2] : [s / 86400, 3];
    return units[unit].replace('%s', Math.floor(n));
  };
  const ago = (ms) => (ms < 0 ? words.in : words.ago).replace('%s', span(ms));

  // The agent's clock counts, not the reader's.
  const age = () => {
    const now = Date.now() - skew;
    for (const t of main.querySelectorAll('time')) t.dataset.age = ago(now - Date.parse(t.dateTime));
  };

  const show = (html) => {
    Idiomorph.morph(main, html, {
      morphStyle: 'innerHTML',
      callbacks: {
        // What a reader has unfolded stays unfolded.
        beforeAttributeUpdated: (name, node) => !(name === 'open' && node.tagName === 'DETAILS'),
      },
    });
    document.title = document.getElementById('mode').dataset.name + document.title.slice(document.title.indexOf(' · '));
    age();
  };

  const connect = () => {
    source = new EventSource('/events?lang=' + document.documentElement.lang + '&seen=' + encodeURIComponent(seen));
    source.addEventListener('page', (e) => { heard = Date.now(); seen = e.lastEventId; show(e.data); });
    source.addEventListener('beat', (e) => {
      heard = Date.now();
      last = Number(e.data);
      const asof = document.querySelector('#asof time');
      if (asof) {
        asof.dateTime = new Date(last).toISOString();
        asof.textContent = asof.dateTime.slice(11, 19);
      }
      if (skew === 0 || heard - last < skew) skew = heard - last;
      tick();
    });
    source.onerror = () => {
      // A browser gives up after a refusal; an agent that restarts is back soon.
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 3000 + Math.random() * 4000);
      tick();
    };
  };

  const tick = () => {
    age();
    const silent = heard ? Date.now() - heard : 0;
    const stale = last ? Date.now() - skew - last : 0;
    if (source.readyState !== EventSource.OPEN || silent > 15000) say(words.lost, true);
    else if (stale > 20000) say(words.stale.replace('%s', span(stale)), true);
    else if (heard) say(words.live, false);
  };

  connect();
  setInterval(tick, 1000);
})();
