import django.core.validators
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('stations', '0002_tariffs'),
    ]

    operations = [
        migrations.AddField(
            model_name='chargingsession',
            name='updated_at',
            field=models.DateTimeField(auto_now=True, null=True),
        ),
        migrations.AddField(
            model_name='connector',
            name='emi3_id',
            field=models.CharField(blank=True, default='', help_text='as printed at the outlet (eMI3), such as DE*ABC*E1234*1', max_length=48, validators=[django.core.validators.RegexValidator('\\A[A-Z]{2}\\*?[A-Z0-9]{3}\\*?E[A-Z0-9][A-Z0-9*]{0,30}\\Z', 'Expected an EVSE ID such as DE*ABC*E1234*1.')], verbose_name='EVSE ID'),
        ),
        migrations.AddField(
            model_name='connector',
            name='format',
            field=models.CharField(blank=True, choices=[('SOCKET', 'Socket'), ('CABLE', 'Cable')], default='', max_length=6),
        ),
        migrations.AddField(
            model_name='connector',
            name='max_amperage',
            field=models.PositiveIntegerField(blank=True, help_text='A', null=True),
        ),
        migrations.AddField(
            model_name='connector',
            name='max_voltage',
            field=models.PositiveIntegerField(blank=True, help_text='V, from line to neutral with three phases', null=True),
        ),
        migrations.AddField(
            model_name='connector',
            name='updated_at',
            field=models.DateTimeField(auto_now=True, null=True),
        ),
        migrations.AddField(
            model_name='site',
            name='latitude',
            field=models.DecimalField(blank=True, decimal_places=6, help_text='WGS 84, decimal degrees', max_digits=9, null=True, validators=[django.core.validators.MinValueValidator(Decimal('-90')), django.core.validators.MaxValueValidator(Decimal('90'))]),
        ),
        migrations.AddField(
            model_name='site',
            name='longitude',
            field=models.DecimalField(blank=True, decimal_places=6, help_text='WGS 84, decimal degrees', max_digits=9, null=True, validators=[django.core.validators.MinValueValidator(Decimal('-180')), django.core.validators.MaxValueValidator(Decimal('180'))]),
        ),
        migrations.AddField(
            model_name='site',
            name='postal_code',
            field=models.CharField(blank=True, default='', max_length=10),
        ),
        migrations.AddField(
            model_name='site',
            name='public',
            field=models.BooleanField(default=False, help_text='may be shown to anybody in apps and on maps'),
        ),
        migrations.AddField(
            model_name='site',
            name='updated_at',
            field=models.DateTimeField(auto_now=True, null=True),
        ),
        migrations.AddField(
            model_name='station',
            name='updated_at',
            field=models.DateTimeField(auto_now=True, null=True),
        ),
        migrations.AddField(
            model_name='tariff',
            name='updated_at',
            field=models.DateTimeField(auto_now=True, null=True),
        ),
    ]
