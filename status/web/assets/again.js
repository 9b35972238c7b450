// Puts what the agent knows now in place of what is shown, every two seconds, and says so
// when nothing is heard any more.
(() => {
  'use strict';
  const main = document.getElementById('main');
  const live = document.getElementById('live');
  const said = live.textContent;

  const say = (lost) => {
    const text = lost ? live.dataset.lost : said;
    if (live.textContent !== text) live.textContent = text;
    document.body.classList.toggle('lost', lost);
  };

  const look = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(location.href, { signal: AbortSignal.timeout(5000) });
        if (!answer.ok) throw new Error(answer.statusText);
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        Idiomorph.morph(main, page.getElementById('main').innerHTML, { morphStyle: 'innerHTML' });
        document.getElementById('banner')?.replaceWith(...page.querySelectorAll('#banner'));
        say(false);
      } catch {
        say(true);
      }
    }
    setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
})();
