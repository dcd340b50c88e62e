'use strict';

// A list to choose from shows the one part of the page that it names.

document.querySelectorAll('select[data-shows]').forEach((select) => {
  const show = () => {
    for (const option of select.options) document.getElementById(option.value).hidden = option.value !== select.value;
  };
  select.addEventListener('change', show);
  show();
});
