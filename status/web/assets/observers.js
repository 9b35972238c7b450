// Says which moment the slider is at, shows it when it is let go, and keeps the present up
// to date.
(() => {
  'use strict';
  const form = document.getElementById('ago');
  const slider = document.getElementById('at');
  const moment = document.getElementById('moment');
  const seen = document.getElementById('seen');
  const live = document.getElementById('live');
  const said = live.textContent;
  live.hidden = 'past' in live.dataset; // without a script nothing here is live
  let here = location.href;
  let turn = 0;

  // Others look back, or have not answered: a moment that has passed is asked for again.
  const soon = () => {
    const mine = turn;
    if ('again' in live.dataset) setTimeout(() => mine === turn && show(), 1500);
  };

  const name = () => {
    const back = Number(slider.value);
    if (back === 0) return form.dataset.now;
    return new Date(Number(form.dataset.asof) + back * 60000).toISOString().slice(5, 16).replace('T', ' ') + ' UTC';
  };
  const tell = () => {
    moment.value = name();
    slider.setAttribute('aria-valuetext', name());
  };

  const say = (lost) => {
    const text = lost ? live.dataset.lost : said;
    if (live.textContent !== text) live.textContent = text;
    document.body.classList.toggle('lost', lost);
  };

  const show = async () => {
    const mine = ++turn;
    try {
      const answer = await fetch(here, { signal: AbortSignal.timeout(5000) });
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      if (mine !== turn) return; // another moment was chosen meanwhile
      Idiomorph.morph(seen, page.getElementById('seen').innerHTML, {
        morphStyle: 'innerHTML',
        callbacks: { beforeAttributeUpdated: (attribute, node) => !(attribute === 'open' && node.tagName === 'DETAILS') },
      });
      document.getElementById('counted').innerHTML = page.getElementById('counted').innerHTML;
      document.getElementById('banner')?.replaceWith(...page.querySelectorAll('#banner'));
      const tongues = page.querySelectorAll('header a[hreflang]'); // they lead to the moment that is shown
      document.querySelectorAll('header a[hreflang]').forEach((a, i) => a.setAttribute('href', tongues[i].getAttribute('href')));
      form.dataset.asof = page.getElementById('ago').dataset.asof;
      const next = page.getElementById('live').dataset;
      live.hidden = 'past' in next;
      live.toggleAttribute('data-again', 'again' in next);
      soon();
      say(false);
    } catch {
      if (mine === turn) say(true);
    }
  };

  slider.addEventListener('input', tell);
  slider.addEventListener('change', () => {
    const at = new URL(form.action);
    at.searchParams.set('lang', document.documentElement.lang);
    if (slider.value !== '0') at.searchParams.set('at', slider.value);
    here = at.href;
    history.replaceState(null, '', here);
    show();
  });

  const again = async () => {
    if (!document.hidden && !live.hidden) await show();
    setTimeout(again, 2000);
  };
  setTimeout(again, 2000);
  soon();
})();
