"""Error pages come up without a context, a database, or collected static files."""

import pytest
from django.template.loader import get_template


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "500"])
def test_an_error_page_says_what_to_do_and_leads_on(name):
    page = get_template(f"{name}.html").render()

    assert page.count("<h1>") == 1
    assert '<p class="lead">' in page
    assert 'href="/"' in page
