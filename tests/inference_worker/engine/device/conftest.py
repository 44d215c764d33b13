"""Where kernels run: on the GPU if there is one, and else under Triton's interpreter, slowly."""

import pytest
import torch


@pytest.fixture(scope="session")
def device():
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
